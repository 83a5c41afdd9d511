import type { Transport } from '../customerio/transport.ts'
import type { Operation } from '../intent/intent.ts'
import type { QueuedIntent } from '../store/read-lane.ts'
import type { Prepared } from './batch.ts'

export interface PrepareSettings {
  /** For the words of the dead letter. */
  readonly maxAgeSeconds?: number | undefined
  /** Whether the workspace's `allowRecipients` lets this intent out. */
  readonly allows: (operation: string, payload: unknown) => boolean
}

/** Decides what a row comes to before any request. Pure. */
export function prepareRow(transport: Transport, settings: PrepareSettings, row: QueuedIntent): Prepared {
  const { seq, id } = row
  if (row.expired !== null) {
    const message =
      row.expired === 'age'
        ? `it waited longer than the workspace's maxAge of ${settings.maxAgeSeconds} s`
        : 'expires_at had passed before it could be sent'
    return { dead: { seq, id, reason: 'expired', message } }
  }
  const payload: unknown = JSON.parse(row.payload)
  if (!settings.allows(row.operation, payload)) return 'suppressed'
  try {
    const operation = row.operation as Operation
    const occurredAtSeconds = Math.floor(row.enqueuedAt)
    return { send: transport.prepare({ id, operation, payload, occurredAtSeconds, payloadBytes: row.size }) }
  } catch (error) {
    return {
      dead: { seq, id, reason: 'invalid', message: error instanceof Error ? error.message : String(error) },
    }
  }
}
