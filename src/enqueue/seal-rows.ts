import { seal } from '../encryption/envelope.ts'
import type { SecretKey } from '../encryption/encryption-key.ts'
import type { Intent } from '../intent/intent.ts'
import { nameOf } from '../intent/keys/name-of.ts'
import { orderingKeyOf } from '../intent/keys/ordering-key.ts'
import type { AppEncryption } from './app-encryption.ts'
import type { EnqueueArguments } from './enqueue-call.ts'

/**
 * Encrypts the payloads of rows.
 *
 * The texts are written at once, so the app may change its objects while a key is fetched. A promise only if the key is one,
 * so that calls of `enqueue` which the caller does not await keep their order.
 *
 * @param intents The checked intents of the rows.
 * @throws {EncryptionKeyError} if there is no key.
 */
export function sealRows(
  { current, readableNames }: AppEncryption,
  intents: readonly Intent[],
  rows: readonly EnqueueArguments[],
): EnqueueArguments[] | Promise<EnqueueArguments[]> {
  if (rows.length === 0) return []
  const plain = rows.map((row, n) => ({
    row,
    text: JSON.stringify(row.payload),
    intent: intents[n] as Intent,
  }))
  const sealAll = (key: SecretKey) =>
    plain.map(({ row, text, intent }) => {
      const { workspace, operation, ordering_key } = row
      const orderingKey = ordering_key ?? orderingKeyOf(intent)
      const envelope = seal(key, { workspace, operation, orderingKey }, text)
      const name = readableNames ? nameOf(intent) : null
      return { ...row, sealed: { envelope, ordering_key: orderingKey, name } }
    })
  const key = current()
  return key instanceof Promise ? key.then(sealAll) : sealAll(key)
}
