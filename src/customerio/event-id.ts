const DIGITS = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
/** Two digits of base 32 for each ten bits. */
const PAIRS = Array.from({ length: 1024 }, (_, bits) => DIGITS.charAt(bits >> 5) + DIGITS.charAt(bits & 31))
const UUID = /^[0-9a-f]{32}$/i

/**
 * The id Customer.io deduplicates an event by: the intent's UUID, re-encoded without loss as a ULID of 26
 * characters. Order is kept: intents minted in order (UUIDv7) have event ids in order.
 *
 * Of its own, because it is made for every event: the `ulid` package's took a ninth of a draining relay's time.
 */
export function toUlid(uuid: string): string {
  const hex = uuid.replaceAll('-', '')
  if (!UUID.test(hex)) throw new TypeError(`Invalid UUID: ${uuid}`)
  // 26 digits are 130 bits: the first two hold the first eight, each further four hold twenty.
  let ulid = PAIRS[Number.parseInt(hex.slice(0, 2), 16)] as string
  for (let i = 2; i < 32; i += 5) {
    const bits = Number.parseInt(hex.slice(i, i + 5), 16)
    ulid += (PAIRS[bits >> 10] as string) + PAIRS[bits & 1023]
  }
  return ulid
}
