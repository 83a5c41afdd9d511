/** A database by its identity; the name is for people. */
export interface DatabaseIdentity {
  /** Of the cluster; undefined on a server that does not say it. */
  readonly systemIdentifier: string | undefined
  readonly databaseOid: number
  readonly databaseName: string
}

/** The database is a copy of the one that the outbox belongs to: its intents are the original's. */
export class CopiedDatabaseError extends Error {
  override readonly name = 'CopiedDatabaseError'
  readonly code = 'COPIED_DATABASE'
  /** The database that the outbox belongs to; undefined if the copy was made without that record. */
  readonly origin: DatabaseIdentity | undefined
  readonly found: DatabaseIdentity
  /** Intents in the copy, delayed ones included; an estimate above 100,000. */
  readonly pending: number

  constructor(origin: DatabaseIdentity | undefined, found: DatabaseIdentity, pending: number) {
    const belongs = origin ? `belongs to ${describe(origin)}` : 'belongs to a database that it does not name'
    const intents = `${pending.toLocaleString('en-US')} pending ${pending === 1 ? 'intent' : 'intents'}`
    super(
      `This database is a copy: its outbox ${belongs}, and this is ${describe(found)}. A relay would send the copy's ${intents} to Customer.io. To discard them see docs/backups.md; if they are to be sent, or if the database itself has moved, start one relay once with --accept-copy (createRelay: acceptCopy)`,
    )
    this.origin = origin
    this.found = found
    this.pending = pending
  }
}

function describe({ systemIdentifier, databaseOid, databaseName }: DatabaseIdentity): string {
  const system = systemIdentifier === undefined ? '' : ` of system ${systemIdentifier}`
  return `database "${databaseName}" (oid ${databaseOid})${system}`
}
