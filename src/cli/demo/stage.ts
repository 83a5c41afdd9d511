import type { Cleanup } from './cleanup.ts'

export interface DemoOptions {
  /** Default: `DATABASE_URL`, else a Postgres of the demo's own. */
  readonly databaseUrl: string | undefined
  readonly schema: string | undefined
  readonly intents: number
  readonly outageMs: number
  readonly json: boolean
}

/** One run of the demo. */
export interface Stage extends DemoOptions {
  /** Begins every id of this run. */
  readonly run: string
  readonly abort: AbortController
  readonly cleanup: Cleanup
  readonly output: NodeJS.WriteStream
}
