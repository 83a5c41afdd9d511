import { CopiedDatabaseError, type DatabaseIdentity } from './copied-database-error.ts'
import type { Names } from '../names.ts'

type Query = <Row extends object>(text: string) => Promise<Row[]>

interface Row {
  readonly originSystem: string | null
  readonly originOid: string | null
  readonly originName: string | null
  readonly currentSystem: string | null
  readonly currentOid: string
  readonly currentName: string
}

/**
 * Checks whether the database is a copy of the one that the outbox belongs to. A relay checks when it starts, on each new
 * connection, and with the dispatcher's polls, because an address may lead to another server at any time.
 *
 * @returns the error that names both databases, or undefined.
 */
export async function findCopy(query: Query, { q }: Names): Promise<CopiedDatabaseError | undefined> {
  const [row] = await query<Row>(
    `SELECT origin_system AS "originSystem", origin_oid AS "originOid", origin_name AS "originName",
            current_system AS "currentSystem", current_oid AS "currentOid", current_name AS "currentName"
     FROM ${q}.check_origin() WHERE is_copy`,
  )
  if (!row) return undefined
  // The view is read for a copy only: planning it takes longer than the check, which runs on each new connection.
  const [backlog] = await query<{ queued: string }>(
    `SELECT coalesce(sum(pending + scheduled), 0) AS queued FROM ${q}.backlog`,
  )
  return new CopiedDatabaseError(
    identity(row.originSystem, row.originOid, row.originName),
    identity(row.currentSystem, row.currentOid, row.currentName) as DatabaseIdentity,
    Number(backlog?.queued),
  )
}

function identity(
  system: string | null,
  oid: string | null,
  name: string | null,
): DatabaseIdentity | undefined {
  if (oid === null || name === null) return undefined
  return { systemIdentifier: system ?? undefined, databaseOid: Number(oid), databaseName: name }
}
