import { envelopeOf } from '../../encryption/envelope.ts'
import type { SecretKey } from '../../encryption/encryption-key.ts'
import { openWith } from '../../encryption/stored-payload.ts'
import type { Content, QueuedIntent } from '../../store/lanes/queued-intent.ts'
import { ENCRYPTED_FORMAT } from '../../store/lanes/row-format.ts'
import type { KeyFinder } from './key-finder.ts'

/**
 * Decrypts the payloads of a page. A row whose key is missing is `locked`, and one that does not open is `refused`. A row that is
 * not sent anyway, because it has expired, needs no key.
 */
export async function openRows(
  keys: Pick<KeyFinder, 'find'>,
  destination: string,
  rows: QueuedIntent[],
): Promise<QueuedIntent[]> {
  if (!rows.some(({ format }) => format === ENCRYPTED_FORMAT)) return rows
  return Promise.all(rows.map((row) => openRow(keys, destination, row)))
}

function openRow(
  keys: Pick<KeyFinder, 'find'>,
  destination: string,
  row: QueuedIntent,
): QueuedIntent | Promise<QueuedIntent> {
  const { content } = row
  if (content.form !== 'sealed' || row.expired !== null || row.infinite) return row
  const envelope = envelopeOf(JSON.parse(content.envelope))
  if (!envelope) return withContent(row, { form: 'refused' })
  const openWithKey = (key: SecretKey | undefined) => {
    if (!key) return withContent(row, { form: 'locked', key: envelope.key })
    const { operation, enqueuedAt } = content
    const opened = openWith(key, { destination, operation, orderingKey: row.orderingKey }, envelope)
    if (opened.kind !== 'opened') return withContent(row, { form: 'refused' })
    return withContent(row, { form: 'payload', operation, payload: opened.text, enqueuedAt })
  }
  const key = keys.find(envelope.key)
  return key instanceof Promise ? key.then(openWithKey) : openWithKey(key)
}

function withContent(row: QueuedIntent, content: Content): QueuedIntent {
  const { seq, id, orderingKey, onAmbiguous, sending, format, attempts, retryInMs, expired, infinite } = row
  const size = content.form === 'payload' ? Buffer.byteLength(content.payload) : row.size
  const columns = {
    seq,
    id,
    orderingKey,
    onAmbiguous,
    sending,
    format,
    attempts,
    retryInMs,
    expired,
    infinite,
  }
  return { ...columns, size, content }
}
