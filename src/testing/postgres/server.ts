export interface RealPostgres extends AsyncDisposable {
  /** Connection URL of a database that tests and demo may write to. The URL's user may create databases. */
  readonly url: string
  /** Describes where the server comes from: `DATABASE_URL`, `container postgres:18-alpine`, `embedded PostgreSQL 18.4`. */
  readonly source: string
  stop(): Promise<void>
}

export type StartedServer = Omit<RealPostgres, typeof Symbol.asyncDispose>
