import { isFunction, type Library } from '../executor.ts'
import { NotATransactionError } from '../not-a-transaction-error.ts'
import { refusalsOf } from '../refusals.ts'

/** The `tx` of Prisma's `prisma.$transaction(async (tx) => …)`, also of an extended client. */
export interface PrismaTransactionLike {
  $queryRawUnsafe(text: string, ...values: (string | null)[]): PromiseLike<unknown>
  /** Absent: only a client has it, and a client is not a transaction. */
  readonly $connect?: never
}

const REFUSALS = refusalsOf('Prisma', 'client', 'the tx of prisma.$transaction(async (tx) => …)')

/** Prisma. A transaction has the methods of a client, except for `$connect`. */
export const prisma: Library = {
  recognises: (handle) => isFunction(handle.$queryRawUnsafe),
  executor(handle) {
    if (isFunction(handle.$connect)) throw new NotATransactionError(REFUSALS.outside)
    const tx = handle as unknown as PrismaTransactionLike
    return {
      refusal: REFUSALS.ended,
      execute: async (text, values) => (await tx.$queryRawUnsafe(text, ...values)) as unknown[],
    }
  },
}
