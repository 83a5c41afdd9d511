export interface RealPostgres extends AsyncDisposable {
  /** Connection URL of a database that may be written to; its user may create databases. */
  readonly url: string
  /** Where it came from, for people: `DATABASE_URL`, `container postgres:18-alpine`, `embedded PostgreSQL 18.4`. */
  readonly source: string
  stop(): Promise<void>
}

export type StartedServer = Omit<RealPostgres, typeof Symbol.asyncDispose>
