import { uuidToULID } from 'ulid'

/**
 * The id Customer.io deduplicates an event by: the intent's UUID, re-encoded without loss as a ULID of 26
 * characters. Order is kept: intents minted in order (UUIDv7) have event ids in order.
 */
export function toUlid(uuid: string): string {
  return uuidToULID(uuid)
}
