/**
 * The identity of a database. The name is only for display.
 *
 * @example
 * ```ts
 * import type { DatabaseIdentity } from 'customerio-outbox/relay'
 *
 * relay.once('copyFound', ({ found }: { found: DatabaseIdentity }) => console.error(found.databaseName))
 * ```
 */
export interface DatabaseIdentity {
  /** The cluster's identifier. Undefined if the server does not reveal it. */
  readonly systemIdentifier: string | undefined
  readonly databaseOid: number
  readonly databaseName: string
}

/**
 * The database is a copy of the one that the outbox belongs to, so its queued intents are the original's. `createRelay`
 * with `acceptCopy` makes it the outbox's own database.
 *
 * @example
 * ```ts
 * import { CopiedDatabaseError } from 'customerio-outbox/relay'
 *
 * try {
 *   await relay.start()
 * } catch (error) {
 *   if (error instanceof CopiedDatabaseError) console.error(`${error.queued} intents of another database`)
 *   throw error
 * }
 * ```
 */
export class CopiedDatabaseError extends Error {
  override readonly name = 'CopiedDatabaseError'
  readonly code = 'COPIED_DATABASE'
  /** The database that the outbox belongs to. Undefined if the copy has no record of it. */
  readonly origin: DatabaseIdentity | undefined
  /** The database that the relay is connected to. */
  readonly found: DatabaseIdentity
  /** Intents in the copy's queue, pending and scheduled. Above 100,000 the number is an estimate. */
  readonly queued: number

  constructor(origin: DatabaseIdentity | undefined, found: DatabaseIdentity, queued: number) {
    const belongs = origin ? `belongs to ${describe(origin)}` : 'belongs to a database that it does not name'
    const intents = `${queued.toLocaleString('en-US')} queued ${queued === 1 ? 'intent' : 'intents'}`
    super(
      `This database is a copy: its outbox ${belongs}, and this is ${describe(found)}. A relay would send the copy's ${intents} to Customer.io. To discard them see docs/backups.md; if they are to be sent, or if the database itself has moved, start one relay once with --accept-copy (createRelay: acceptCopy)`,
    )
    this.origin = origin
    this.found = found
    this.queued = queued
  }
}

function describe({ systemIdentifier, databaseOid, databaseName }: DatabaseIdentity): string {
  const system = systemIdentifier === undefined ? '' : ` of system ${systemIdentifier}`
  return `database "${databaseName}" (oid ${databaseOid})${system}`
}
