import { PrismaPg } from '@prisma/adapter-pg'
import { fromPrisma } from 'pg-boss'
import type { Transaction } from '../../../src/index.ts'
import type { Library } from '../contract/library.ts'
// Generated from app/prisma/schema.prisma by `PRISMA_SCHEMA_ENGINE_BINARY=/bin/true npx prisma generate`, with `prisma` of
// the version of @prisma/client. The command needs no database and no engine.
import { type Prisma, PrismaClient } from '../app/prisma/generated/client.ts'

const open = (url: string) => new PrismaClient({ adapter: new PrismaPg({ connectionString: url, max: 2 }) })

const refusal = /got a Prisma .*, use the tx of prisma\.\$transaction\(async \(tx\) => …\)/

export const prisma: Library = {
  name: 'Prisma 7',
  refusal,
  outside: ['the client'],
  knowsItsEnd: true,
  open: async (url) => overPrisma(open(url), (tx) => tx),
}

export const prismaAdapter: Library = {
  name: "pg-boss' fromPrisma",
  refusal: /got an adapter .* outside a transaction/,
  outside: ['the client'],
  knowsItsEnd: true,
  async open(url) {
    const client = open(url)
    return {
      ...overPrisma(client, (tx) => fromPrisma(tx)),
      outside: { 'the client': (check) => check(fromPrisma(client)) },
    }
  },
}

function overPrisma(client: PrismaClient, handOver: (tx: Prisma.TransactionClient) => Transaction) {
  return {
    transaction: <T>(work: Parameters<Awaited<ReturnType<Library['open']>>['transaction']>[0]) =>
      client.$transaction((tx) =>
        work({ tx: handOver(tx), run: (statement) => tx.$executeRawUnsafe(statement) }),
      ) as Promise<T>,
    outside: { 'the client': (check: (handle: unknown) => Promise<void>) => check(client) },
    close: () => client.$disconnect(),
  }
}

/** An extension with members of its own, and with a hook on every query. */
export const prismaExtended: Library = {
  name: 'Prisma 7, extended client',
  refusal,
  outside: ['the client'],
  knowsItsEnd: true,
  async open(url) {
    const client = open(url).$extends({
      name: 'app',
      client: { $hello: () => 'hello' },
      query: { $allOperations: ({ args, query }) => query(args) },
    })
    return {
      transaction: (work) =>
        client.$transaction((tx) => work({ tx, run: (statement) => tx.$executeRawUnsafe(statement) })),
      outside: { 'the client': (check) => check(client) },
      close: () => client.$disconnect(),
    }
  },
}
