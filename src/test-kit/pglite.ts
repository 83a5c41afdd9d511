/** A PGlite database: `await PGlite.create()`. The package imports nothing of PGlite, so the app chooses its version. */
export interface PgliteLike {
  exec(script: string): Promise<unknown>
  // biome-ignore lint/suspicious/noExplicitAny: PGlite's own parameters
  query<Row>(text: string, values?: any[], options?: any): Promise<{ rows: Row[] }>
  readonly closed: boolean
}

/** Whether a value is a PGlite database. No other client of Postgres has `exec`. */
export function isPglite(value: unknown): value is PgliteLike {
  const { exec, query } = (value ?? {}) as Partial<PgliteLike>
  return typeof exec === 'function' && typeof query === 'function'
}
