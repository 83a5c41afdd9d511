/** Characters. Customer.io takes identifiers of at most 150 bytes, and an email address has at most 254. */
const MAX_RECIPIENT_LENGTH = 320

/**
 * The staging guard: which people a workspace may be told of. With a copy of production's data and
 * `allowRecipients: ['*@example.com']`, nobody else is ever written to.
 *
 * A pattern is a whole address or id in which `*` stands for any run of characters; case does not count. An
 * intent goes out when every recipient that it names is allowed, and it names at least one. A broadcast that
 * names no recipients goes to a segment, and is held back.
 */
export function recipientAllowlist(
  patterns: readonly string[] | undefined,
): (operation: string, payload: unknown) => boolean {
  if (patterns === undefined) return () => true
  const allowed = patterns.map(toRegExp)
  return (operation, payload) => {
    const named = recipientsOf(operation, payload).map(toText)
    return (
      named.length > 0 &&
      named.every((one) => one !== undefined && allowed.some((pattern) => pattern.test(one)))
    )
  }
}

function toRegExp(pattern: string): RegExp {
  const source = pattern.split('*').map((part) => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&'))
  return new RegExp(`^${source.join('[^]*')}$`, 'i')
}

/**
 * A recipient as a pattern sees it. Undefined for what is neither text nor a number, or longer than any address: it is
 * never allowed. A pattern with several `*` takes time that grows with a power of the text's length.
 */
function toText(recipient: unknown): string | undefined {
  if (typeof recipient === 'number') return String(recipient)
  return typeof recipient === 'string' && recipient.length <= MAX_RECIPIENT_LENGTH ? recipient : undefined
}

/**
 * The addresses that would be written to; where there are none, the ids of those it is about. The `to` of a push
 * is a device, or which of the person's.
 */
function recipientsOf(operation: string, payload: unknown): unknown[] {
  const fields = asObject(payload)
  const message = asObject(fields.message)
  const recipients = asObject(fields.recipients)
  const addresses = [
    ...(operation === 'sendPush' ? [] : split(message.to)),
    ...split(message.bcc),
    ...split(asObject(fields.attributes).email),
    ...split(asObject(asObject(fields.entity).attributes).email),
    ...split(asObject(message.traits).email),
    // Of an anonymous invite: it stands above everybody else whom the event names.
    ...split(asObject(fields.data).recipient),
    ...split(asObject(asObject(fields.entity).attributes).recipient),
    ...split(asObject(message.properties).recipient),
    ...list(recipients.emails),
    ...list(recipients.ids),
    ...(Array.isArray(recipients.per_user_data)
      ? recipients.per_user_data.flatMap((one) => [...named(asObject(one).email), ...named(asObject(one).id)])
      : []),
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

/** `Jane <jane@example.com>, joe@example.com` is two addresses. */
function split(value: unknown): string[] {
  if (typeof value !== 'string') return []
  return value
    .split(',')
    .map((one) => (/<([^<>]*)>\s*$/.exec(one)?.[1] ?? one).trim())
    .filter(Boolean)
}

/** The same; what is not text is a recipient as it stands, such as an id that is a number. */
function named(value: unknown): unknown[] {
  return typeof value === 'string' || value === undefined || value === null ? split(value) : [value]
}

function list(value: unknown): unknown[] {
  return Array.isArray(value) ? value : []
}

function asObject(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : {}
}
