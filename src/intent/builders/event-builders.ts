import type { TrackAnonymousIntent, TrackIntent, TrackPageViewIntent, TrackScreenIntent } from '../intent.ts'
import type { JsonData } from '../json-types.ts'
import { given, type PersonRef, personOf, type TimeOfIntent } from './person-ref.ts'

/**
 * Records an event of a person.
 *
 * @param person The id of the person, or one identifier by its name: `{ email: 'jane@example.com' }`. At most 150 bytes.
 * @param name Name of the event, 1 to 100 bytes.
 * @param data Attributes of the event. The operation as a whole may take at most 32,000 bytes.
 * @param extra Optional `timestamp` of the event.
 * @returns The intent, not checked yet: `enqueue` checks it.
 * @example
 * ```ts
 * import { intents } from 'customerio-outbox'
 *
 * await outbox.enqueue(tx, intents.track(user.id, 'order_placed', { total: 42 }))
 * ```
 */
export function track<const Name extends string, const Data extends object>(
  person: PersonRef,
  name: Name,
  data: JsonData<Data>,
  extra?: TimeOfIntent,
): TrackIntent<Data, Name> & { readonly data: Data }
export function track<const Name extends string, const Data = never>(
  person: PersonRef,
  name: Name,
  data?: JsonData<Data> | undefined,
  extra?: TimeOfIntent,
): TrackIntent<Exclude<Data, undefined>, Name>
export function track(
  person: PersonRef,
  name: string,
  data?: object,
  extra: TimeOfIntent = {},
): TrackIntent<object> {
  return { operation: 'track', ...personOf(person), name, ...given('data', data), ...extra }
}

/**
 * Records a page view of a person.
 *
 * @param person The id of the person, or one identifier by its name. At most 150 bytes.
 * @param path URL or path of the page, 1 to 100 bytes.
 * @param data Attributes of the page view.
 * @param extra Optional `timestamp` of the event.
 * @returns The intent, not checked yet: `enqueue` checks it.
 * @example
 * ```ts
 * import { intents } from 'customerio-outbox'
 *
 * await outbox.enqueue(tx, intents.trackPageView(user.id, '/pricing', { referrer: 'newsletter' }))
 * ```
 */
export function trackPageView<Data = never>(
  person: PersonRef,
  path: string,
  data?: JsonData<Data> | undefined,
  extra: TimeOfIntent = {},
): TrackPageViewIntent<Exclude<Data, undefined>> {
  return {
    operation: 'trackPageView',
    ...personOf(person),
    path,
    ...given<'data', Data>('data', data as Data),
    ...extra,
  }
}

/**
 * Records a screen view of a person in a mobile app.
 *
 * @param person The id of the person, or one identifier by its name. At most 150 bytes.
 * @param name Name of the screen, 1 to 100 bytes.
 * @param data Attributes of the screen view.
 * @param extra Optional `timestamp` of the event.
 * @returns The intent, not checked yet: `enqueue` checks it.
 * @example
 * ```ts
 * import { intents } from 'customerio-outbox'
 *
 * await outbox.enqueue(tx, intents.trackScreen(user.id, 'Checkout'))
 * ```
 */
export function trackScreen<Data = never>(
  person: PersonRef,
  name: string,
  data?: JsonData<Data> | undefined,
  extra: TimeOfIntent = {},
): TrackScreenIntent<Exclude<Data, undefined>> {
  return {
    operation: 'trackScreen',
    ...personOf(person),
    name,
    ...given<'data', Data>('data', data as Data),
    ...extra,
  }
}

/**
 * Records an event of an anonymous visitor, or sends an anonymous invite.
 *
 * @param anonymousId Id of a cookie or a device, at most 150 bytes. A person who has it as `anonymous_id` gets the event.
 * Empty for an anonymous invite: it goes to the email address in `data.recipient`.
 * @param name Name of the event, 1 to 100 bytes.
 * @param data Attributes of the event. Required for an invite.
 * @param extra Optional `timestamp` of the event.
 * @returns The intent, not checked yet: `enqueue` checks it.
 * @example
 * ```ts
 * import { intents } from 'customerio-outbox'
 *
 * await outbox.enqueue(tx, intents.trackAnonymous('cookie-7', 'cart_updated', { items: 3 }))
 * ```
 */
export function trackAnonymous<const Name extends string, const Data extends object>(
  anonymousId: string,
  name: Name,
  data: JsonData<Data>,
  extra?: TimeOfIntent,
): TrackAnonymousIntent<Data, Name> & { readonly data: Data }
export function trackAnonymous<const Name extends string, const Data = never>(
  anonymousId: string,
  name: Name,
  data?: JsonData<Data> | undefined,
  extra?: TimeOfIntent,
): TrackAnonymousIntent<Exclude<Data, undefined>, Name>
export function trackAnonymous(
  anonymousId: string,
  name: string,
  data?: object,
  extra: TimeOfIntent = {},
): TrackAnonymousIntent<object> {
  return { operation: 'trackAnonymous', anonymousId, name, ...given('data', data), ...extra }
}
