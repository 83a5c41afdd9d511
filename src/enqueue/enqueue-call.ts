import type { Names } from '../store/names.ts'
import type { WireArguments } from './wire-arguments.ts'

/** Options of the SQL functions, by the names of their parameters. */
interface OptionArguments {
  readonly dedup_key: string | null
  readonly dedup_window: string
  readonly ordering_key: string | null
  readonly send_after: string | null
  readonly expires_at: string | null
  readonly workspace: string
  readonly on_ambiguous: string
  readonly priority: string
}

/**
 * Arguments of `outbox.enqueue_encrypted` if there is `sealed`, of `outbox.enqueue_wire` or `outbox.enqueue_wire_with` if there is
 * `wire`, else of `outbox.enqueue`.
 */
export interface EnqueueArguments extends OptionArguments {
  readonly operation: string
  readonly payload: object
  readonly wire: WireArguments | undefined
  readonly sealed?: SealedArguments | undefined
}

/** An encrypted payload, and what the database can no longer read in it. */
export interface SealedArguments {
  /** The JSON text of the envelope. */
  readonly envelope: string
  readonly ordering_key: string
  readonly name: string | null
}

/** A call of an SQL function that stores intents: an expression with the parameters $1, $2, …, and their values as text. */
export interface EnqueueCall {
  readonly text: string
  readonly values: (string | null)[]
}

/** The call that stores one intent. It returns a row (id, duplicate). */
export function callForOne({ q }: Names, intent: EnqueueArguments): EnqueueCall {
  const { operation, payload, wire, sealed } = intent
  const options = optionValues(intent)
  if (sealed) {
    const { envelope, name, ordering_key } = sealed
    return {
      text: `${q}.enqueue_encrypted($1::text, $2::text, $3::text, ${optionParameters(4)})`,
      values: [operation, envelope, name, ...optionValues({ ...intent, ordering_key })],
    }
  }
  if (!wire) {
    return {
      text: `${q}.enqueue($1::text, $2::text::jsonb, ${optionParameters(3)}, plan_checked => true)`,
      values: [operation, JSON.stringify(payload), ...options],
    }
  }
  const { person_kind, person, name, attributes, occurred_at } = wire
  const text = attributes === undefined ? null : JSON.stringify(attributes)
  const parts = [operation, person_kind, person, name, text, occurred_at]
  const parameters = '$1::text, $2::text, $3::text, $4::text, $5::text, $6::text::bigint'
  if (hasDefaults(intent)) return { text: `${q}.enqueue_wire(${parameters})`, values: parts }
  return {
    text: `${q}.enqueue_wire_with(${parameters}, ${optionParameters(7)})`,
    values: [...parts, ...options],
  }
}

/** Whether every option has its default. Without a dedup key, its window does not matter. */
function hasDefaults(options: OptionArguments): boolean {
  const { dedup_key, ordering_key, send_after, expires_at, workspace, on_ambiguous, priority } = options
  return (
    (dedup_key ?? ordering_key ?? send_after ?? expires_at) === null &&
    workspace === 'default' &&
    on_ambiguous === 'park' &&
    priority === 'normal'
  )
}

/** The parameters of the options, numbered from `first`. `dedupType` and `orderingType` are the casts of the two keys. */
function optionParameters(first: number, dedupType = '', orderingType = ''): string {
  const types = [dedupType, '::interval', orderingType, '::timestamptz', '::timestamptz', '', '', '']
  return types.map((type, n) => `$${first + n}::text${type}`).join(', ')
}

/** The values of the options, in the order of the functions' parameters. */
function optionValues(options: OptionArguments): (string | null)[] {
  const { dedup_key, dedup_window, ordering_key, send_after, expires_at, workspace, on_ambiguous, priority } =
    options
  return [dedup_key, dedup_window, ordering_key, send_after, expires_at, workspace, on_ambiguous, priority]
}

export interface ManyCall extends EnqueueCall {
  /** `arrays`: one row with two arrays, (ids, duplicates). `rows`: a row for each intent, (ordinal, id, duplicate). */
  readonly returns: 'arrays' | 'rows'
}

/** The call that stores several intents. The caller gives the same options to all, except for the dedup key. */
export function callForMany(names: Names, intents: readonly EnqueueArguments[]): ManyCall {
  const wires = intents.flatMap(({ operation, wire }) => (wire ? [{ operation, ...wire }] : []))
  const [first] = intents
  if (first?.sealed) return callForSealed(names, first, intents)
  if (first && wires.length === intents.length) return callForWires(names, first, intents, wires)
  return {
    returns: 'rows',
    text: `${names.q}.enqueue_many($1::text::jsonb, true, plan_checked => true)`,
    values: [JSON.stringify(intents.map(({ wire: _wire, ...columns }) => columns))],
  }
}

function callForWires(
  { q }: Names,
  first: EnqueueArguments,
  intents: readonly EnqueueArguments[],
  wires: readonly ({ readonly operation: string } & WireArguments)[],
): ManyCall {
  const [, ...options] = optionValues(first)
  return {
    returns: 'arrays',
    text: `${q}.enqueue_wire_many($1::text::text[], $2::text::text[], $3::text::text[], $4::text::text[],
      $5::text, $6::text::bigint[], ${optionParameters(7, '::text[]')})`,
    values: [
      arrayLiteral(wires.map(({ operation }) => operation)),
      arrayLiteral(wires.map(({ person_kind }) => person_kind)),
      arrayLiteral(wires.map(({ person }) => person)),
      arrayLiteral(wires.map(({ name }) => name ?? '')),
      wires.map(({ attributes = null }) => JSON.stringify(attributes)).join(SEPARATOR),
      arrayLiteral(wires.map(({ occurred_at }) => occurred_at ?? '-1')),
      dedupKeysLiteral(intents),
      ...options,
    ],
  }
}

/** Either all intents are encrypted, or none. */
function callForSealed(
  { q }: Names,
  first: EnqueueArguments,
  intents: readonly EnqueueArguments[],
): ManyCall {
  const sealed = intents.flatMap((intent) => (intent.sealed ? [intent.sealed] : []))
  const [, dedupWindow, , ...options] = optionValues(first)
  return {
    returns: 'arrays',
    text: `${q}.enqueue_encrypted_many($1::text::text[], $2::text, $3::text::text[], ${optionParameters(4, '::text[]', '::text[]')})`,
    values: [
      arrayLiteral(intents.map(({ operation }) => operation)),
      sealed.map(({ envelope }) => envelope).join(SEPARATOR),
      arrayLiteral(sealed.map(({ name }) => name ?? '')),
      dedupKeysLiteral(intents),
      dedupWindow ?? null,
      arrayLiteral(sealed.map(({ ordering_key }) => ordering_key)),
      ...options,
    ],
  }
}

function dedupKeysLiteral(intents: readonly EnqueueArguments[]): string | null {
  const keys = intents.map(({ dedup_key }) => dedup_key)
  return keys.every((key) => key === null) ? null : arrayLiteral(keys.map((key) => key ?? ''))
}

/** Between the JSON texts of `outbox.enqueue_wire_many`. No JSON text contains this character. */
const SEPARATOR = '\u001e'

/** An array of Postgres as text. */
function arrayLiteral(values: readonly string[]): string {
  return `{${values.map((value) => `"${value.replace(/["\\]/g, '\\$&')}"`).join(',')}}`
}
