import type { Cleanup } from './cleanup.ts'

export interface DemoOptions {
  /** Default: a Postgres of the demo's own. */
  readonly databaseUrl: string | undefined
  /** Default: `outbox`. */
  readonly schema: string | undefined
  /** Intents to commit. */
  readonly intents: number
  /** Milliseconds that Customer.io is down. */
  readonly outageMs: number
  /** Print the result as JSON on stdout, and the narration on stderr. */
  readonly json: boolean
}

/** One run of the demo. */
export interface Stage extends DemoOptions {
  /** Prefix of every id of this run. */
  readonly run: string
  readonly abort: AbortController
  readonly cleanup: Cleanup
  readonly output: NodeJS.WriteStream
}

/** The Postgres server that a run uses. */
export interface DemoPostgres {
  readonly url: string
  /** Describes where the server comes from: `DATABASE_URL`, `embedded PostgreSQL 18.4`. */
  readonly source: string
}
