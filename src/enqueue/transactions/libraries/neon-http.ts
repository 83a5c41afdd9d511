import { isFunction, type Library } from '../executor.ts'
import { NotATransactionError } from '../not-a-transaction-error.ts'

/** The function that `neon()` of @neondatabase/serverless returns. It has no transaction in which `enqueue` could run. */
export const neonHttp: Library = {
  recognises: ({ query, unsafe, transaction }) => [query, unsafe, transaction].every(isFunction),
  executor() {
    throw new NotATransactionError(
      "got the function of Neon's neon(), which has no interactive transactions, use a client of new Pool() after BEGIN",
    )
  },
}
