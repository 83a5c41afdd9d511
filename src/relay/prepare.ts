import type { Transport } from '../customerio/transport.ts'
import type { Operation } from '../intent/intent.ts'
import type { QueuedIntent } from '../store/read-lane.ts'
import type { Prepared } from './batch.ts'

export interface PrepareSettings {
  /** Intents that were enqueued longer ago are dead letters of reason `expired`. */
  readonly maxAgeSeconds?: number | undefined
  /** Whether the workspace's `allowRecipients` lets this intent out. */
  readonly allows: (operation: string, payload: unknown) => boolean
}

/** Decides what a row comes to before any request. Pure. */
export function prepareRow(transport: Transport, settings: PrepareSettings, row: QueuedIntent): Prepared {
  const { seq, operation } = row
  if (row.expired) {
    return { dead: { seq, reason: 'expired', message: 'expires_at had passed before it could be sent' } }
  }
  if (settings.maxAgeSeconds !== undefined && row.ageSeconds > settings.maxAgeSeconds) {
    const message = `it waited longer than the workspace's maxAge of ${settings.maxAgeSeconds} s`
    return { dead: { seq, reason: 'expired', message } }
  }
  const payload: unknown = JSON.parse(row.payload)
  if (!settings.allows(operation, payload)) return 'suppressed'
  try {
    return { send: transport.prepare({ ...row, payload, operation: operation as Operation }) }
  } catch (error) {
    return {
      dead: { seq, reason: 'invalid', message: error instanceof Error ? error.message : String(error) },
    }
  }
}
