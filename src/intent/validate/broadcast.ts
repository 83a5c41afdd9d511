import { hint, isPlainObject, join, kindOf, pathOf } from '../describe.ts'
import { fail, type ErrorContext } from '../errors.ts'
import type { TriggerBroadcastIntent } from '../message-intents.ts'
import { checkId, checkTextId } from './person.ts'
import { checkNotBlank } from './text.ts'

/** Fields that name recipients, and the flags that customerio-node sends with each. It drops other flags. */
const SELECTORS: Readonly<Record<string, readonly string[]>> = {
  ids: ['id_ignore_missing'],
  emails: ['email_ignore_missing', 'email_add_duplicates'],
  per_user_data: ['id_ignore_missing', 'email_ignore_missing', 'email_add_duplicates'],
  data_file_url: ['id_ignore_missing', 'email_ignore_missing', 'email_add_duplicates'],
}

/** Checks that a broadcast reaches the recipients it names, and no others. */
export function checkBroadcast(
  context: ErrorContext,
  { broadcastId, recipients }: TriggerBroadcastIntent,
): void {
  if (broadcastId === undefined) {
    fail(context, 'broadcastId', 'is required, and must be a string or a whole number')
  }
  checkId(context, 'broadcastId', broadcastId)
  if (recipients !== undefined) checkRecipients(context, recipients as Record<string, unknown>)
}

function checkRecipients(context: ErrorContext, recipients: Record<string, unknown>): void {
  const given = Object.keys(recipients).filter((field) => recipients[field] !== undefined)
  if (given.length === 0) {
    fail(context, 'recipients', "is empty: leave it out to send to the broadcast's own recipients")
  }
  const [selector, ...others] = given.filter((field) => Object.hasOwn(SELECTORS, field))
  // A filter of segments and attributes is sent unchanged.
  if (selector === undefined) return
  if (others.length > 0) {
    const names = [selector, ...others].join(', ')
    fail(context, 'recipients', `must have one of ${Object.keys(SELECTORS).join(', ')}: ${names} are given`)
  }
  const allowed = SELECTORS[selector] ?? []
  const unknown = given.find((field) => field !== selector && !allowed.includes(field))
  if (unknown !== undefined) {
    const path = join('recipients', pathOf([unknown]))
    fail(context, path, `is not sent beside ${selector}: ${hint(unknown, allowed)}`)
  }
  checkSelected(context, `recipients.${selector}`, recipients[selector], selector === 'data_file_url')
}

function checkSelected(context: ErrorContext, field: string, value: unknown, isUrl: boolean): void {
  if (isUrl) {
    if (typeof value !== 'string') fail(context, field, `must be a string, got ${kindOf(value)}`)
    checkNotBlank(context, field, value)
    return
  }
  if (!Array.isArray(value)) fail(context, field, `must be an array, got ${kindOf(value)}`)
  if (value.length === 0) fail(context, field, 'is empty: list at least one recipient')
  for (const [index, recipient] of value.entries()) checkRecipient(context, field, index, recipient)
}

function checkRecipient(context: ErrorContext, field: string, index: number, recipient: unknown): void {
  const path = `${field}[${index}]`
  if (field === 'recipients.ids') checkId(context, path, recipient)
  else if (field === 'recipients.emails') checkTextId(context, path, recipient)
  else if (!isPlainObject(recipient)) fail(context, path, `must be an object, got ${kindOf(recipient)}`)
}
