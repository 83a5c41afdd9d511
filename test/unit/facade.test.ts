import {
  type APIClient,
  type PipelinesClient,
  type SendEmailRequest,
  SendInAppRequest,
  type SendSMSRequest,
  type TrackClient,
} from 'customerio-node'
import { describe, expect, expectTypeOf, test } from 'vitest'
import {
  createOutbox,
  type EnqueueResult,
  type OutboxApiClient,
  type OutboxPipelinesClient,
  type OutboxTrackClient,
} from '../../src/index.ts'

/** For each method of `Ours`: true if it accepts the parameters of the method with this name in `Theirs`. */
type Takes<Ours, Theirs> = {
  [Name in keyof Ours]: Name extends keyof Theirs
    ? Theirs[Name] extends (...args: infer Args) => unknown
      ? Ours[Name] extends (...args: Args) => Promise<EnqueueResult | EnqueueResult[]>
        ? true
        : false
      : false
    : false
}
type All<Names extends PropertyKey> = { readonly [Name in Names]: true }

describe('types', () => {
  test("every method accepts the parameters of customerio-node's method", () => {
    expectTypeOf<Takes<OutboxTrackClient, TrackClient>>().toExtend<All<keyof OutboxTrackClient>>()
    expectTypeOf<Takes<OutboxApiClient, APIClient>>().toExtend<All<keyof OutboxApiClient>>()
    expectTypeOf<Takes<OutboxPipelinesClient, PipelinesClient>>().toExtend<All<keyof OutboxPipelinesClient>>()
    expectTypeOf<Parameters<TrackClient['track']>>().toExtend<Parameters<OutboxTrackClient['track']>>()
    expectTypeOf<Parameters<OutboxApiClient['sendEmail']>>().toEqualTypeOf<[req: SendEmailRequest]>()
    expectTypeOf<ReturnType<OutboxTrackClient['batch']>>().toEqualTypeOf<Promise<EnqueueResult[]>>()
    expectTypeOf<ReturnType<OutboxTrackClient['track']>>().toEqualTypeOf<Promise<EnqueueResult>>()
  })

  test('methods that cannot be enqueued are absent', () => {
    type Absent = 'getAccountRegion' | 'addCustomersToSegment' | 'submitForm' | 'reportMetric' | 'unsubscribe'
    expectTypeOf<Extract<keyof OutboxTrackClient, Absent>>().toBeNever()
    expectTypeOf<Extract<keyof OutboxApiClient, 'sendWhatsApp' | 'listExports'>>().toBeNever()
    const client = createOutbox().trackClient(never())
    // @ts-expect-error a getter returns an answer, which an outbox cannot give
    expect(client.getAccountRegion).toBeUndefined()
    // @ts-expect-error a person is a string or a number
    void client.track({ id: 1 }, { name: 'x' }).catch(() => {})
    expect(Object.keys(client)).toHaveLength(13)
    expect(Object.keys(createOutbox().apiClient(never()))).toHaveLength(6)
    expect(Object.keys(createOutbox().pipelinesClient(never()))).toHaveLength(7)
  })
})

/** Fails if a statement reaches the database. */
function never() {
  return {
    executeSql: (): never => {
      throw new Error('SQL ran')
    },
  }
}

describe('refused before any SQL', () => {
  const outbox = createOutbox()
  const [track, api, pipelines] = [
    outbox.trackClient(never()),
    outbox.apiClient(never()),
    outbox.pipelinesClient(never()),
  ]

  test.each<[string, () => Promise<unknown>, RegExp]>([
    ['an empty customerId', () => track.identify('', {}), /^identify: customerId is empty/],
    ['an event without a name', () => track.track('u1', {}), /^track: name is required/],
    ['a misspelt field', () => track.track('u1', { name: 'x', dta: {} }), /^track: dta is not a known field/],
    [
      'an id that is not a ULID',
      () => track.track('u1', { name: 'x', id: 'order-1' }),
      /^entity: entity\.id must be a ULID/,
    ],
    [
      'an id of an anonymous event',
      () => track.trackAnonymous('c1', { name: 'x', id: 'y' }),
      /^trackAnonymous: id cannot be given/,
    ],
    [
      'an anonymous page',
      () => track.trackAnonymous('c1', { name: 'x', type: 'page' }),
      /^trackAnonymous: type page cannot be enqueued/,
    ],
    ['a push without fields', () => track.trackPush(), /^trackPush: deliveryId is required/],
    [
      'an unknown platform',
      () => track.addDevice('u1', 't', 'windows'),
      /^addDevice: platform must be one of ios/,
    ],
    ['a value that is no JSON', () => track.identify('u1', { n: 1n }), /^identify: attributes\.n /],
    ['a batch that is no array', () => track.batch('x' as never), /^batch: operations must be an array/],
    [
      'an invalid operation in a batch',
      () => track.batch([{ type: 'person', action: 'identify', identifiers: { id: 'u1' } }, {}]),
      /^entity: \[1\]\.entity\.type /,
    ],
    [
      'the request of another channel',
      () =>
        api.sendSMS(
          new SendInAppRequest({ identifiers: { id: 1 }, transactional_message_id: 1 }) as SendSMSRequest,
        ),
      /^sendSMS: request must be an instance of customerio-node's SendSMSRequest/,
    ],
    [
      'an object that is not a request',
      () => api.sendEmail({ message: {} } as SendEmailRequest),
      /^sendEmail: request must be an instance/,
    ],
    [
      'a messageId',
      () => pipelines.track({ userId: 'u1', event: 'x', messageId: 'm1' }),
      /^pipelines\.track: message\.messageId is the intent's own id/,
    ],
    [
      'an unknown call',
      () => pipelines.batch([{ type: 'flush' } as never]),
      /pipelines\.flush|operation is unknown/,
    ],
  ])('%s', async (_, call, message) => {
    await expect(call()).rejects.toThrow(message)
  })

  test("the error is passed to onIgnored with onError: 'ignore'", async () => {
    const ignored: string[] = []
    const lenient = createOutbox({ onIgnored: ({ message }) => ignored.push(message) })
    const client = lenient.trackClient(never(), { onError: 'ignore' })
    const result = await client.trackAnonymous('c1', { name: 'x', id: 'y' })
    expect(result).toMatchObject({ duplicate: false, error: expect.any(Error) })
    expect(await client.batch([{}, {}])).toHaveLength(2)
    expect(ignored).toHaveLength(2)
  })
})
