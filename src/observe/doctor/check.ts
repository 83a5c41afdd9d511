import type { WorkspaceOptions } from '../../relay/options.ts'
import type { Names } from '../../store/names.ts'
import type { Queryable } from '../views/queryable.ts'
import type { Finding } from './finding.ts'

/** What the checks examine. */
export interface Installation {
  /** Reads on a single connection. */
  readonly db: Queryable
  readonly names: Names
  /** The database user, as a quoted identifier. */
  readonly user: string
  readonly connectionString: string
  /** The connection for LISTEN. Undefined: relays listen through `connectionString`. */
  readonly listenConnectionString: string | undefined
  /** Workspaces with their credentials. Empty if doctor was given none. */
  readonly workspaces: Readonly<Record<string, WorkspaceOptions>>
  readonly limits: Limits
}

/** The values above which a check warns. */
export interface Limits {
  /** Seconds that a transaction may be open. */
  readonly transactionSeconds: number
  /** Dead rows of a table that was not vacuumed lately. */
  readonly deadRows: number
  /** Seconds since the last vacuum of such a table. */
  readonly vacuumSeconds: number
}

export const LIMITS: Limits = { transactionSeconds: 600, deadRows: 100_000, vacuumSeconds: 600 }

export interface Check {
  readonly name: string
  /** An error that it throws becomes a finding. */
  readonly run: (installation: Installation) => Promise<readonly Finding[]>
}

/** Milliseconds to connect, and for each answer of the database, of a second connection, or of Customer.io. */
export const ANSWER_MS = 3_000
