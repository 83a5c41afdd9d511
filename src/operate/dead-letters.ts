import { intentOf } from '../customerio/transports/stored-intent.ts'
import { openPayload, sealPayload } from '../encryption/stored-payload.ts'
import type { KeyRing } from '../encryption/key-ring.ts'
import type { Operation } from '../intent/intent.ts'
import type { Database } from '../store/connection/database.ts'
import type { DeadLetterReason } from '../store/lanes/settle.ts'
import type { DeadLetterFilter } from './filters.ts'

/**
 * A dead letter, with its payload.
 *
 * @example
 * ```ts
 * import { createOperator } from 'customerio-outbox/operator'
 *
 * await using operator = createOperator({ connectionString: 'postgres://operator:secret@localhost:5432/app' })
 * const { letters } = await operator.deadLetters({ reason: 'rejected' })
 * for (const { id, status, message } of letters) console.log(id, status, message)
 * ```
 */
export interface DeadLetter {
  readonly id: string
  readonly destination: string
  readonly operation: Operation
  readonly name: string | null
  readonly orderingKey: string
  /** Of an encrypted dead letter: opened if the operator has the key, else the envelope. */
  readonly payload: Readonly<Record<string, unknown>>
  /** `opened` or `locked` if the payload is encrypted, else `no`. */
  readonly encrypted: 'no' | 'opened' | 'locked'
  readonly reason: DeadLetterReason
  readonly status: number | null
  readonly field: string | null
  /** Customer.io's message. It may quote the payload. */
  readonly message: string | null
  readonly enqueuedAt: Date
  readonly deadAt: Date
  readonly expiresAt: Date | null
  /** When the request with the unknown outcome began. Only for reason `ambiguous`. */
  readonly requestedAt: Date | null
}

/**
 * A page of dead letters, the newest first.
 *
 * @example
 * ```ts
 * import { createOperator, type DeadLetterPage } from 'customerio-outbox/operator'
 *
 * await using operator = createOperator({ connectionString: 'postgres://operator:secret@localhost:5432/app' })
 * const first: DeadLetterPage = await operator.deadLetters({}, { limit: 50 })
 * if (first.next !== undefined) await operator.deadLetters({}, { limit: 50, after: first.next })
 * ```
 */
export interface DeadLetterPage {
  readonly letters: readonly DeadLetter[]
  /** Give it as `after` to read the next page. Undefined on the last page. */
  readonly next: string | undefined
}

const COLUMNS = `id, format, destination, operation, name, ordering_key AS "orderingKey", payload, reason, status, field, message,
  enqueued_at AS "enqueuedAt", dead_at AS "deadAt", expires_at AS "expiresAt", requested_at AS "requestedAt"`

type Row = Omit<DeadLetter, 'encrypted'> & { readonly format: number }

const ENCRYPTED_FORMAT = 3

/** Opens the payload of a row, if it is encrypted and the ring has its key. */
function letterOf({ format, ...row }: Row, ring: KeyRing | undefined): DeadLetter {
  if (format !== ENCRYPTED_FORMAT) return { ...row, encrypted: 'no' }
  const opened = ring && openPayload(row, ring)
  if (opened?.kind !== 'opened') return { ...row, encrypted: 'locked' }
  return { ...row, payload: JSON.parse(opened.text), encrypted: 'opened' }
}

export async function listDeadLetters(
  db: Database,
  ring: KeyRing | undefined,
  filter: DeadLetterFilter,
  limit: number,
  after: string | undefined,
): Promise<DeadLetterPage> {
  const rows = await db.query<Row & { position: string }>(
    `SELECT ${COLUMNS}, to_char(dead_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') || '/' || id AS position
     FROM ${db.names.q}.list_dead_letters($1, split_part($2, '/', 1)::timestamptz, split_part($2, '/', 2)::uuid, $3)`,
    [JSON.stringify(filter), checkPosition(after), limit],
  )
  const next = rows.length === limit ? rows.at(-1)?.position : undefined
  return { letters: rows.map(({ position: _, ...row }) => letterOf(row, ring)), next }
}

function checkPosition(after: string | undefined): string | null {
  if (after === undefined) return null
  if (/^[-\dT:.]+Z\/[-\da-f]{36}$/.test(after)) return after
  throw new RangeError(`Expected after to be the \`next\` of a page, got ${JSON.stringify(after)}`)
}

/** @returns undefined if there is no dead letter with this id. */
export async function readDeadLetter(
  db: Database,
  ring: KeyRing | undefined,
  id: string,
): Promise<DeadLetter | undefined> {
  const [row] = await db.query<Row>(
    `SELECT ${COLUMNS} FROM ${db.names.q}.list_dead_letters(jsonb_build_object('ids', $1::text))`,
    [id],
  )
  return row && letterOf(row, ring)
}

/**
 * Replaces the payload of a dead letter, after the checks of `enqueue`.
 *
 * @throws InvalidIntentError for a payload that no relay could send.
 */
export async function editDeadLetter(
  db: Database,
  ring: KeyRing | undefined,
  letter: DeadLetter,
  payload: Readonly<Record<string, unknown>>,
  reason: string | undefined,
): Promise<void> {
  intentOf({ id: letter.id, operation: letter.operation, payload, occurredAtSeconds: 0 })
  const text = letter.encrypted === 'no' ? JSON.stringify(payload) : sealed(letter, payload, ring)
  await db.query(`SELECT ${db.names.q}.edit_dead_letter($1, $2, $3)`, [letter.id, text, reason ?? null])
}

function sealed(letter: DeadLetter, payload: object, ring: KeyRing | undefined): string {
  if (ring && letter.encrypted === 'opened') return sealPayload(letter, payload, ring)
  throw new Error(
    'Expected the key of the encrypted dead letter, got none: set OUTBOX_ENCRYPTION_KEYS, or encryption of createOperator',
  )
}
