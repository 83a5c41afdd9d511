import type { Transport } from '../../customerio/transports/transport.ts'
import { InvalidIntentError } from '../../intent/errors.ts'
import type { Operation } from '../../intent/intent.ts'
import type { QueuedIntent } from '../../store/lanes/queued-intent.ts'
import type { PreparedRow } from './cut-batch.ts'
import { parseWireText } from '../../customerio/transports/wire-text.ts'
import type { WireText } from '../../intent/wire-text.ts'

const REFUSED =
  'its encrypted payload does not open: it was changed, moved to another row, or encrypted with another key of the same id'

export interface PrepareSettings {
  /** The workspace's `maxAgeSeconds`, for the message of the dead letter. */
  readonly maxAgeSeconds?: number | undefined
  /** Whether the workspace's `allowRecipients` allows every recipient of this intent. Undefined: it has no such setting. */
  readonly allows: ((operation: string, payload: unknown) => boolean) | undefined
}

/** A row whose payload was not opened has reached the cut: an error of this program. The row must not become a dead letter. */
class UnopenedRowError extends Error {
  override readonly name = 'UnopenedRowError'
}

/**
 * Decides before any request whether a row is sent. Pure, and throws for no content of a row: an error here would end the turn,
 * and the lane's next turn would begin with the same row.
 */
export function prepareRow(transport: Transport, settings: PrepareSettings, row: QueuedIntent): PreparedRow {
  try {
    return decide(transport, settings, row)
  } catch (error) {
    if (error instanceof UnopenedRowError) throw error
    return { dead: { seq: row.seq, id: row.id, reason: 'invalid', message: problemOf(error) } }
  }
}

function decide(transport: Transport, settings: PrepareSettings, row: QueuedIntent): PreparedRow {
  const { seq, id } = row
  if (row.infinite) {
    return {
      dead: { seq, id, reason: 'invalid', message: `Expected ${row.infinite} to be a time, got infinity` },
    }
  }
  if (row.expired !== null) {
    const message =
      row.expired === 'age'
        ? `it waited longer than maxAgeSeconds of its workspace: ${settings.maxAgeSeconds} s`
        : 'its expires_at passed before it could be sent'
    return { dead: { seq, id, reason: 'expired', message } }
  }
  const { content } = row
  if (content.form === 'wire') return decideText(transport, settings, id, content.text)
  if (content.form === 'refused') {
    return { dead: { seq, id, reason: 'invalid', message: REFUSED } }
  }
  if (content.form !== 'payload') throw new UnopenedRowError(`the payload of ${id} is ${content.form}`)
  const payload: unknown = JSON.parse(content.payload)
  const operation = content.operation as Operation
  const occurredAtSeconds = Math.floor(content.enqueuedAt)
  const send = transport.prepare({ id, operation, payload, occurredAtSeconds, payloadBytes: row.size })
  if (settings.allows?.(operation, payload) === false) return 'suppressed'
  // The cut reads the bytes of an operation that may be too large. They are measured here, because `prepareRow` catches
  // errors.
  if (send.maxBytes > transport.limits.itemBytes) send.bytes
  return { send }
}

/**
 * Wire text is parsed only if the workspace has `allowRecipients`. Then it is also written anew: in a text with two fields of
 * one name, the guard sees one of them, and Customer.io would receive both.
 */
function decideText(
  transport: Transport,
  { allows }: PrepareSettings,
  id: string,
  text: WireText,
): PreparedRow {
  if (!transport.prepareText) throw new TypeError('only the Track API has rows with wire text')
  if (allows === undefined) return { send: transport.prepareText(id, text) }
  const operation = parseWireText(text)
  const { action, identifiers, attributes } = operation
  const payload = action === 'identify' ? { identifiers, attributes } : { identifiers, data: attributes }
  if (!allows('track', payload)) return 'suppressed'
  const buffer = Buffer.from(JSON.stringify(operation))
  return { send: transport.prepareText(id, { buffer, start: 0, end: buffer.length }) }
}

/**
 * The message of the dead letter. That of an `InvalidIntentError` names only fields and sizes. Other messages may repeat the
 * payload, so they are left out.
 */
function problemOf(error: unknown): string {
  if (error instanceof InvalidIntentError) return error.message
  return `it cannot be read as an intent (${error instanceof Error ? error.name : typeof error})`
}
