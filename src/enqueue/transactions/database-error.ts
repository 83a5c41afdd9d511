/** Where libraries keep the error of the database that they wrap. */
const WRAPPED = ['cause', 'original', 'driverError'] as const

const SQLSTATE = /^[0-9A-Z]{5}$/

/**
 * The database's own error. Libraries wrap it in errors of their own, whose messages or fields list the statement's
 * parameters, which are customers' data.
 */
export function databaseErrorOf(error: unknown): unknown {
  let current = error
  for (let depth = 0; depth < 5 && current instanceof Error; depth++) {
    const wrapper: Error = current
    const inner = WRAPPED.map((name) => (wrapper as unknown as Record<string, unknown>)[name]).find(
      (value) => value instanceof Error,
    )
    if (!(inner instanceof Error)) break
    current = inner
  }
  return current
}

/** The SQLSTATE of an error, for example `25P01`. Undefined if the database did not raise it. */
export function stateOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined
  return typeof error.code === 'string' && SQLSTATE.test(error.code) ? error.code : undefined
}
