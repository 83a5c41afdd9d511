import { type Address, addressParser } from 'postal-mime'

/**
 * Characters. A longer recipient matches no pattern: Customer.io takes identifiers of at most 150 bytes, and an email address
 * has at most 254.
 */
const MAX_RECIPIENT_LENGTH = 320

/** Characters of an address list. A longer text is never allowed: 200,000 characters took 0.8 s to parse. */
const MAX_LIST_LENGTH = 10_000

/** One address without quotes, comments and routes, the only form that is compared with patterns. */
const PLAIN_ADDRESS = /^[^\s"(),:;<>@[\\\]]+@[^\s"(),:;<>@[\\\]]+$/

/** Separators of an address list. */
const SEPARATOR = /[,;]/

/** Stands for a recipient that cannot be read from its text. It matches no pattern. */
const UNREADABLE = undefined

/**
 * The staging guard: limits the people that a workspace may reach. With a copy of production's data and
 * `allowRecipients: ['*@example.com']`, the relay writes to no real person.
 *
 * A pattern is a whole address or id. `*` stands for any characters, and case is ignored. An intent is allowed if it names at
 * least one recipient and every recipient matches a pattern. A broadcast without recipients goes to a segment, so it is never
 * allowed. Neither is an intent with a recipient that cannot be parsed.
 *
 * @param patterns Undefined allows every intent; an empty list allows none.
 * @returns undefined if every intent is allowed.
 */
export function recipientAllowlist(
  patterns: readonly string[] | undefined,
): ((operation: string, payload: unknown) => boolean) | undefined {
  if (patterns === undefined) return undefined
  const allowed = patterns.map(toRegExp)
  return (operation, payload) => {
    const recipients = recipientsOf(operation, payload).map(toText)
    return (
      recipients.length > 0 &&
      recipients.every((one) => one !== UNREADABLE && allowed.some((pattern) => pattern.test(one)))
    )
  }
}

function toRegExp(pattern: string): RegExp {
  const source = pattern.split('*').map((part) => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&'))
  return new RegExp(`^${source.join('[^]*')}$`, 'i')
}

/**
 * The text of a recipient that patterns are compared with. A pattern with several `*` takes time that grows with a power
 * of the text's length, so a text that is longer than any address is unreadable.
 */
function toText(recipient: unknown): string | typeof UNREADABLE {
  if (typeof recipient === 'number') return String(recipient)
  return typeof recipient === 'string' && recipient.length <= MAX_RECIPIENT_LENGTH ? recipient : UNREADABLE
}

/**
 * The addresses that an intent would reach. If it has none, the ids of the people that it is about. The `to` of a push is
 * left out, because it is a device, or names one of the person's devices.
 */
function recipientsOf(operation: string, payload: unknown): unknown[] {
  const fields = asObject(payload)
  const message = asObject(fields.message)
  const recipients = asObject(fields.recipients)
  const addresses = [
    ...(operation === 'sendPush' ? [] : parseText(message.to)),
    ...parseText(message.bcc),
    ...parseText(asObject(fields.attributes).email),
    ...parseText(asObject(asObject(fields.entity).attributes).email),
    ...parseText(asObject(message.traits).email),
    // The recipient of an anonymous invite. If there is one, the person of the event does not count.
    ...parseText(asObject(fields.data).recipient),
    ...parseText(asObject(asObject(fields.entity).attributes).recipient),
    ...parseText(asObject(message.properties).recipient),
    ...list(recipients.emails).flatMap(parseRecipient),
    ...list(recipients.ids),
    ...list(recipients.per_user_data).flatMap((one) => [
      ...parseRecipient(asObject(one).email),
      ...parseRecipient(asObject(one).id),
    ]),
  ]
  if (addresses.length > 0) return addresses
  return [
    fields.customerId,
    fields.anonymousId,
    fields.deliveryId,
    ...[fields, message, asObject(fields.entity)].flatMap((one) => Object.values(asObject(one.identifiers))),
    ...[fields, asObject(fields.entity)].flatMap((one) => [
      ...Object.values(asObject(one.primary)),
      ...Object.values(asObject(one.secondary)),
    ]),
    message.userId,
    message.anonymousId,
    message.previousId,
  ].filter((value) => value !== undefined && value !== null)
}

/**
 * The recipients in a text: `"Doe, Jane" <jane@example.com>, joe@example.com` has two. A text without `@` holds no email
 * address and is one recipient, such as a phone number. A blank text has none.
 */
function parseText(value: unknown): (string | typeof UNREADABLE)[] {
  if (typeof value !== 'string') return []
  const text = value.trim()
  if (text === '') return []
  if (PLAIN_ADDRESS.test(text)) return [text]
  if (!text.includes('@')) return [SEPARATOR.test(text) ? UNREADABLE : text]
  return parseAddresses(text) ?? [UNREADABLE]
}

/** The recipients in a value: those in a text, or the value itself if it is not a text, such as a number. */
function parseRecipient(value: unknown): unknown[] {
  return typeof value === 'string' || value === undefined || value === null ? parseText(value) : [value]
}

/**
 * The addresses of a list. The parser is lenient, and Customer.io's may understand a text differently. So every `@` must
 * belong to one of the returned addresses: no other address can hide in a name, a comment or a route.
 *
 * @returns undefined for a text that is not a list of plain addresses.
 */
function parseAddresses(text: string): string[] | undefined {
  if (text.length > MAX_LIST_LENGTH) return undefined
  const addresses = addressParser(text).flatMap(mailboxes)
  const signs = text.split('@').length - 1
  if (addresses.length !== signs || !addresses.every((one) => PLAIN_ADDRESS.test(one))) return undefined
  return addresses
}

function mailboxes({ address, group }: Address): string[] {
  return group === undefined ? [address ?? ''] : group.map((one) => one.address ?? '')
}

function list(value: unknown): unknown[] {
  return Array.isArray(value) ? value : []
}

function asObject(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : {}
}
