import { intentOf } from '../../../customerio/transports/stored-intent.ts'
import type { Operation } from '../../../intent/intent.ts'
import type { BackfillSource } from '../../../operate/backfill.ts'
import type { SourceRow } from './source.ts'

export type Checked =
  | {
      readonly kind: 'valid'
      /** The intent as `enqueue_many` takes it, as JSON text. */
      readonly text: string
      /** Unix seconds that the row gives to an event; undefined without one. */
      readonly timestamp: number | undefined
    }
  | { readonly kind: 'invalid'; readonly key: string; readonly error: string }

/**
 * Checks a row as the relay would before its request. The payload's text is kept as the database wrote it, so that no number
 * changes.
 */
export function checkRow({ key, payload }: SourceRow, { as, workspace }: BackfillSource): Checked {
  const operation = as as Operation
  try {
    const intent = intentOf({
      id: '',
      operation,
      payload: JSON.parse(payload),
      occurredAtSeconds: 0,
    })
    const timestamp =
      'timestamp' in intent && typeof intent.timestamp === 'number' ? intent.timestamp : undefined
    const options = JSON.stringify({ operation, workspace, priority: 'bulk' })
    return { kind: 'valid', text: `${options.slice(0, -1)},"payload":${payload}}`, timestamp }
  } catch (error) {
    return { kind: 'invalid', key, error: (error as Error).message }
  }
}
