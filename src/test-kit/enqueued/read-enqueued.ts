import type { Executor } from '../../enqueue/transactions/executor.ts'
import { runStatement } from '../../enqueue/transactions/run-statement.ts'
import type { EncryptionKey } from '../../encryption/encryption-key.ts'
import { type KeyRing, keyRingOf } from '../../encryption/key-ring.ts'
import { openPayload } from '../../encryption/stored-payload.ts'
import { ENCRYPTED_FORMAT } from '../../store/lanes/row-format.ts'
import { type Names, namesOf } from '../../store/names.ts'
import type { Operation } from '../../intent/intent.ts'
import type { EnqueuedIntent, PartialIntent } from './enqueued-intent.ts'
import { asStored, matches } from './match.ts'
import { type IntentSource, onSource, type Scope } from './source.ts'

/**
 * The options of `enqueued`, `expectEnqueued` and `expectNothingEnqueued`.
 *
 * @example
 * ```ts
 * import { type EnqueuedOptions, expectNothingEnqueued } from 'customerio-outbox/testing'
 *
 * const options: EnqueuedOptions = { schema: 'brand_outbox' }
 * await expectNothingEnqueued(db, {}, options)
 * ```
 */
export interface EnqueuedOptions {
  /**
   * The outbox's schema, as `createOutbox` gets it.
   *
   * @default 'outbox'
   */
  readonly schema?: string | undefined
  /**
   * The key ring of encrypted payloads, as `createOutbox({ encryption: { keys } })` gets it.
   *
   * @default undefined: an encrypted intent is an error
   */
  readonly keys?: string | readonly EncryptionKey[] | undefined
}

/**
 * Returns the intents that an open transaction has stored, in the order of the calls. Those that were rolled back to a
 * savepoint, and those of other transactions, are not among them.
 *
 * Given a pool or another handle outside a transaction, returns the committed intents that are in the queue. Those that were
 * delivered or became dead letters have left it.
 *
 * The database user needs SELECT on the tables of the outbox: use the one that migrated it.
 *
 * @param source The transaction that was passed to `enqueue`, or a handle of the database.
 * @param partial Only intents that have these values. See `expectEnqueued`.
 * @param options The schema's name.
 * @returns the intents as the app wrote them. `identifiers: { id }` is shown as `customerId`.
 * @throws TypeError if `source` is neither a transaction nor a handle of a database.
 *
 * @example
 * ```ts
 * import { equal } from 'node:assert/strict'
 * import { enqueued } from 'customerio-outbox/testing'
 *
 * await db.transaction(async (tx) => {
 *   // … the code under test …
 *   equal((await enqueued(tx, { operation: 'track', name: 'order_placed' })).length, 1)
 * })
 * ```
 */
export async function enqueued<O extends Operation = Operation>(
  source: IntentSource,
  partial?: PartialIntent<O> & { readonly operation?: O },
  options: EnqueuedOptions = {},
): Promise<EnqueuedIntent<O>[]> {
  const { intents } = await readEnqueued(source, options)
  const expected = asStored(partial ?? {})
  return intents.filter((intent) => matches(intent, expected)) as EnqueuedIntent<O>[]
}

/** Every intent that a source shows, and what the source is. */
export interface Reading {
  readonly scope: Scope
  readonly intents: readonly EnqueuedIntent[]
}

export function readEnqueued(source: IntentSource, { schema, keys }: EnqueuedOptions): Promise<Reading> {
  const names = namesOf(schema)
  const ring = keys === undefined ? undefined : keyRingOf(keys)
  return onSource(source, async (executor, scope) => ({
    scope,
    intents: (await readRows(executor, names, scope)).map((columns) => intentOf(columns, ring)),
  }))
}

interface Columns extends Omit<EnqueuedIntent, 'sendAfter' | 'expiresAt'> {
  readonly format: number
  readonly destination: string
  readonly payload: Record<string, unknown>
  readonly sendAfter: string | null
  readonly expiresAt: string | null
}

/**
 * SQL: whether the row was written by the open transaction. A statement sees rows of committed transactions and of its own.
 * So a row that it sees and whose transaction is in progress is its own, also if a savepoint wrote it.
 *
 * `xmin` has the lower 32 bits of a transaction id. The whole id is the one with these bits that is closest to the present.
 */
const IS_OWN = `pg_xact_status((present - ((present - xmin::text::bigint + 2147483648) & 4294967295) + 2147483648)::text::xid8)
        = 'in progress'`

async function readRows(executor: Executor, { q }: Names, scope: Scope): Promise<Columns[]> {
  // The result is one text, because drivers differ in how they read JSON and times.
  const [row] = await runStatement<{ intents: string }>(
    executor,
    `SELECT coalesce(json_agg(json_build_object(
       'id', id, 'format', format, 'destination', destination, 'operation', operation, 'payload', ${q}.payload_of(format, operation, payload, enqueued_at),
       'dedupKey', (SELECT d.key FROM ${q}.dedup d WHERE d.intent_id = i.id),
       'orderingKey', ordering_key, 'workspace', split_part(destination, '/', 1), 'priority', priority,
       'onAmbiguous', on_ambiguous, 'sendAfter', send_after, 'expiresAt', expires_at) ORDER BY seq), '[]')::text AS intents
     FROM (SELECT *, pg_snapshot_xmax(pg_current_snapshot())::text::bigint AS present, xmin FROM ${q}.intents) AS i
     WHERE ${scope === 'queue' ? 'true' : IS_OWN}`,
    [],
  )
  return JSON.parse(row?.intents ?? '[]') as Columns[]
}

function intentOf(given: Columns, ring: KeyRing | undefined): EnqueuedIntent {
  const { payload: _payload, format: _format, destination: _destination, ...columns } = given
  const { operation, id, sendAfter, expiresAt, ...rest } = columns
  const details = { ...rest, sendAfter: dateOf(sendAfter), expiresAt: dateOf(expiresAt) }
  return {
    operation,
    ...(asStored(payloadOf(given, ring)) as object),
    id,
    ...details,
  } as unknown as EnqueuedIntent
}

function payloadOf(row: Columns, ring: KeyRing | undefined): unknown {
  if (row.format !== ENCRYPTED_FORMAT) return row.payload
  const opened = ring ? openPayload(row, ring) : undefined
  if (opened?.kind === 'opened') return JSON.parse(opened.text)
  const problem =
    opened === undefined ? 'no keys' : opened.kind === 'no_key' ? `no key ${opened.key}` : 'other keys'
  throw new TypeError(
    `Expected keys to open the encrypted intent ${row.id}, got ${problem}: pass { keys } as options`,
  )
}

function dateOf(text: string | null): Date | null {
  return text === null ? null : new Date(text)
}
