import type { Transport } from '../../customerio/transports/transport.ts'
import { InvalidIntentError } from '../../intent/errors.ts'
import type { Operation } from '../../intent/intent.ts'
import type { QueuedIntent } from '../../store/lanes/read-lane.ts'
import type { PreparedRow } from './cut-batch.ts'

export interface PrepareSettings {
  /** The workspace's `maxAgeSeconds`, for the message of the dead letter. */
  readonly maxAgeSeconds?: number | undefined
  /** Whether the workspace's `allowRecipients` allows every recipient of this intent. */
  readonly allows: (operation: string, payload: unknown) => boolean
}

/**
 * Decides before any request whether a row is sent. Pure, and never throws: an error here would end the turn, and the lane's
 * next turn would begin with the same row.
 */
export function prepareRow(transport: Transport, settings: PrepareSettings, row: QueuedIntent): PreparedRow {
  try {
    return decide(transport, settings, row)
  } catch (error) {
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
  const payload: unknown = JSON.parse(row.payload)
  const operation = row.operation as Operation
  const occurredAtSeconds = Math.floor(row.enqueuedAt)
  const send = transport.prepare({ id, operation, payload, occurredAtSeconds, payloadBytes: row.size })
  if (!settings.allows(row.operation, payload)) return 'suppressed'
  // The cut reads the bytes of an operation that may be too large. They are measured here, because `prepareRow` catches
  // errors.
  if (send.maxBytes > transport.limits.itemBytes) send.bytes
  return { send }
}

/**
 * The message of the dead letter. That of an `InvalidIntentError` names only fields and sizes. Other messages may repeat the
 * payload, so they are left out.
 */
function problemOf(error: unknown): string {
  if (error instanceof InvalidIntentError) return error.message
  return `it cannot be read as an intent (${error instanceof Error ? error.name : typeof error})`
}
