import type pg from 'pg'
import type { BackfillSource } from '../../../operate/backfill.ts'
import { SettingError } from '../../errors.ts'

/** A row of the source. */
export interface SourceRow {
  /** The key as text. */
  readonly key: string
  /** The payload of its intent, as JSON text. */
  readonly payload: string
}

/** The source of a backfill: what a query selects, in the order of a unique key. */
export interface Source {
  readonly total: number
  /** The next rows after a key. Null: from the beginning. */
  read(after: string | null, limit: number): Promise<SourceRow[]>
}

/** Operations of which a row's columns make the payload. Others take it from a column `payload`. */
const FIELD_OF_OTHERS: Readonly<Record<string, string>> = {
  identify: 'attributes',
  track: 'data',
  trackPageView: 'data',
  trackScreen: 'data',
}

/**
 * Checks the query, and counts its rows.
 *
 * @throws SettingError if the query has no such key, or if its key is null or not unique.
 */
export async function openSource(client: pg.Client, { sql, as, key }: BackfillSource): Promise<Source> {
  const query = `(${sql.trim().replace(/;\s*$/, '')}\n) AS source`
  const columns = await columnsOf(client, query)
  if (!columns.has(key)) {
    throw new SettingError(
      `Expected --key to be a column of the query (${[...columns.keys()].join(', ')}), got ${key}`,
    )
  }
  const column = `source.${quoted(key)}`
  const payload = payloadOf(as, key, columns)
  const total = await countRows(client, query, column, key)
  return {
    total,
    async read(after, limit) {
      const { rows } = await client.query<SourceRow>(
        `SELECT ${column}::text AS key, (${payload})::text AS payload FROM ${query}
         ${after === null ? '' : `WHERE ${column} > $2::text::${columns.get(key)}`}
         ORDER BY ${column} LIMIT $1`,
        after === null ? [limit] : [limit, after],
      )
      return rows
    },
  }
}

/** The columns of the query, with their types. */
async function columnsOf(client: pg.Client, query: string): Promise<Map<string, string>> {
  const { fields } = await client.query(`SELECT source.* FROM ${query} LIMIT 0`)
  const { rows } = await client.query<{ type: string }>(
    'SELECT format_type(oid, NULL) AS type FROM unnest($1::oid[]) WITH ORDINALITY AS t(oid, n) ORDER BY n',
    [fields.map(({ dataTypeID }) => dataTypeID)],
  )
  return new Map(fields.map(({ name }, n) => [name, rows[n]?.type ?? 'text']))
}

async function countRows(client: pg.Client, query: string, column: string, key: string): Promise<number> {
  const { rows: counts } = await client.query<{ rows: number; nulls: number; keys: number }>(
    `SELECT count(*)::float8 AS rows, (count(*) - count(${column}))::float8 AS nulls, count(DISTINCT ${column})::float8 AS keys
     FROM ${query}`,
  )
  const { rows, nulls, keys } = counts[0] ?? { rows: 0, nulls: 0, keys: 0 }
  if (nulls > 0)
    throw new SettingError(`Expected ${key} to be given in every row, got ${nulls} rows without it`)
  if (keys < rows)
    throw new SettingError(`Expected ${key} to be unique, got ${rows} rows with ${keys} values`)
  return rows
}

/** SQL: the payload of a row. */
function payloadOf(as: string, key: string, columns: ReadonlyMap<string, string>): string {
  if (columns.has('payload')) return 'source.payload'
  const others = FIELD_OF_OTHERS[as]
  if (others === undefined) {
    throw new SettingError(
      `Expected the query to select a column payload, with the fields of ${as} as JSON, got ${[...columns.keys()].join(', ')}`,
    )
  }
  const own = ['name', 'path', 'timestamp'].filter((field) => as !== 'identify' && columns.has(field))
  const taken = [key, ...own].map((field) => literal(field)).join(', ')
  const fields = own.map((field) => `${literal(field)}, source.${quoted(field)}`)
  return `jsonb_strip_nulls(jsonb_build_object(${["'customerId'", `source.${quoted(key)}::text`, ...fields].join(', ')}))
          || jsonb_build_object(${literal(others)}, to_jsonb(source.*) - ARRAY[${taken}]::text[])`
}

function quoted(identifier: string): string {
  return `"${identifier.replaceAll('"', '""')}"`
}

function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`
}
