import { fail } from '../../intent/errors.ts'
import type { Operation } from '../../intent/intent.ts'
import type { WireText } from '../../intent/wire-text.ts'
import { writeUlid } from './ulid.ts'
import type { WireItem } from './transport.ts'

/** A member of a batch that is sent as it is stored. */
export interface TextCall {
  readonly via: 'text'
  readonly text: WireText
}

/** How `outbox.wire_of` begins an event. Its id is a placeholder of 26 characters. */
const EVENT_HEAD = Buffer.from('{"id":"')
const ID_BYTES = 26
const QUOTE = '"'.charCodeAt(0)
/** How it begins every other operation. */
const TIMED_HEAD = Buffer.from('{"timestamp":')

/**
 * Writes the event's id into the text. A second call writes the same bytes.
 *
 * @throws {InvalidIntentError} for a text that `outbox.wire_of` did not make. If an owner of the schema has edited it, the
 * placeholder may be anywhere, and Customer.io would take all events with it for one.
 */
export function withEventId(id: string, text: WireText): WireText {
  const idAt = text.start + EVENT_HEAD.length
  if (startsWith(text, EVENT_HEAD) && idAt + ID_BYTES < text.end && text.buffer[idAt + ID_BYTES] === QUOTE) {
    writeUlid(id, text.buffer, idAt)
  } else if (!startsWith(text, TIMED_HEAD)) {
    fail({ operation: 'intent' }, '', 'has a wire text that outbox.wire_of did not make')
  }
  return text
}

/** The text without its timestamp, for an operation that is no event. */
export function withoutTimestamp(text: WireText): WireText {
  if (!startsWith(text, TIMED_HEAD)) return text
  const comma = text.buffer.indexOf(',', text.start)
  const buffer = Buffer.concat([Buffer.from('{'), text.buffer.subarray(comma + 1, text.end)])
  return { buffer, start: 0, end: buffer.length }
}

const ACTION = Buffer.from('"action":"')
const OPERATIONS: ReadonlyMap<string, Operation> = new Map([
  ['identify', 'identify'],
  ['event', 'track'],
  ['page', 'trackPageView'],
  ['screen', 'trackScreen'],
])

/**
 * The operation of a text, read from its beginning: `outbox.wire_of` writes the action before everything that the caller gave.
 * Undefined: `outbox.wire_of` did not make it.
 */
export function wireOperation({ buffer, start, end }: WireText): Operation | undefined {
  const from = buffer.indexOf(ACTION, start) + ACTION.length
  const to = buffer.indexOf(QUOTE, from)
  if (from < start + ACTION.length || to > end) return undefined
  return OPERATIONS.get(buffer.toString('latin1', from, to))
}

function startsWith({ buffer, start, end }: WireText, head: Buffer): boolean {
  return end - start >= head.length && buffer.compare(head, 0, head.length, start, start + head.length) === 0
}

/** The operation in a text. */
export function parseWireText({ buffer, start, end }: WireText): Record<string, unknown> {
  return JSON.parse(buffer.toString('utf8', start, end))
}

/** The item of a text. No part of it is parsed. */
export function textItem(text: WireText): WireItem<TextCall> {
  const bytes = text.end - text.start
  return { bytes, maxBytes: bytes, batchable: true, barrier: false, call: { via: 'text', text } }
}

const OPEN = Buffer.from('{"batch":[')
const CLOSE = Buffer.from(']}')
const COMMA = ','.charCodeAt(0)

/**
 * The body of a batch request, as customerio-node would write it. Texts that are neighbours in one buffer, with a comma
 * between them, are copied in one piece.
 *
 * @param members Texts, or values that are written as JSON.
 */
export function batchBody(members: readonly (WireText | object)[]): Buffer {
  const pieces = joined(members.map((member) => (isText(member) ? member : textOf(member))))
  const bytes = pieces.reduce((sum, { start, end }) => sum + end - start + 1, OPEN.length - 1 + CLOSE.length)
  const body = Buffer.allocUnsafe(bytes)
  let at = OPEN.copy(body)
  for (const [n, { buffer, start, end }] of pieces.entries()) {
    if (n > 0) body[at++] = COMMA
    at += buffer.copy(body, at, start, end)
  }
  CLOSE.copy(body, at)
  return body
}

function joined(texts: readonly WireText[]): WireText[] {
  const pieces: WireText[] = []
  for (const text of texts) {
    const last = pieces.at(-1)
    const isNext = last && last.buffer === text.buffer && last.end + 1 === text.start
    if (isNext) pieces[pieces.length - 1] = { ...last, end: text.end }
    else pieces.push(text)
  }
  return pieces
}

function isText(member: WireText | object): member is WireText {
  return 'buffer' in member && member.buffer instanceof Buffer
}

function textOf(value: object): WireText {
  const buffer = Buffer.from(JSON.stringify(value))
  return { buffer, start: 0, end: buffer.length }
}
