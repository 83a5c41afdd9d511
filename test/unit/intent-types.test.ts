import {
  type AliasPayload,
  APIClient,
  type GroupPayload,
  type IdentifyPayload,
  type PagePayload,
  PipelinesClient,
  type PushRequestData,
  type ScreenPayload,
  SendEmailRequest,
  type SendEmailRequestOptions,
  SendInAppRequest,
  SendInboxMessageRequest,
  SendPushRequest,
  SendSMSRequest,
  type TrackPayload,
} from 'customerio-node'
import { describe, expect, expectTypeOf, test } from 'vitest'
import type { PushMetric } from '../../src/customerio/transports/track-call.ts'
import type { Intent, Operation } from '../../src/intent/intent.ts'
import type { BroadcastRecipients } from '../../src/intent/message-intents.ts'
import { validateIntent } from '../../src/intent/validate/validate-intent.ts'

type Of<Name extends Operation> = Extract<Intent, { operation: Name }>
type MessageOf<Name extends Operation> = Of<Name> extends { message: infer Message } ? Message : never
type Taken<Request extends abstract new (...args: never[]) => unknown> = ConstructorParameters<Request>[0]

describe("a message has the type of customerio-node's request", () => {
  test('a transactional message has the type of its request', () => {
    expectTypeOf<Taken<typeof SendEmailRequest>>().toExtend<MessageOf<'sendEmail'>>()
    expectTypeOf<MessageOf<'sendEmail'>>().toExtend<Taken<typeof SendEmailRequest>>()
    expectTypeOf<MessageOf<'sendPush'>>().toEqualTypeOf<Taken<typeof SendPushRequest>>()
    expectTypeOf<MessageOf<'sendSMS'>>().toEqualTypeOf<Taken<typeof SendSMSRequest>>()
    expectTypeOf<MessageOf<'sendInboxMessage'>>().toEqualTypeOf<Taken<typeof SendInboxMessageRequest>>()
    expectTypeOf<MessageOf<'sendInApp'>>().toEqualTypeOf<Taken<typeof SendInAppRequest>>()
  })

  test('attachments have the form that attach produces', () => {
    const request = new SendEmailRequest({ to: 'a@b', identifiers: { id: 1 }, transactional_message_id: 3 })
    request.attach('a.txt', Buffer.from('hello'))
    const attachments: MessageOf<'sendEmail'>['attachments'] = request.message.attachments ?? {}
    const intent: Intent = {
      operation: 'sendEmail',
      message: { to: 'a@b', identifiers: { id: 1 }, transactional_message_id: 3, attachments },
    }
    expect(validateIntent(intent)).toBe(intent)
  })

  test('an email needs a template or its own content', () => {
    // @ts-expect-error has neither a template nor content
    const neither: MessageOf<'sendEmail'> = { to: 'a@b', identifiers: { id: 1 } }
    expect(() => validateIntent({ operation: 'sendEmail', message: neither })).toThrow(
      /is required, or all of/,
    )
  })

  test('a broadcast has the parameters of triggerBroadcast', () => {
    type Parameters_ = Parameters<APIClient['triggerBroadcast']>
    expectTypeOf<Of<'triggerBroadcast'>['broadcastId']>().toEqualTypeOf<Parameters_[0]>()
    expectTypeOf<BroadcastRecipients>().toExtend<NonNullable<Parameters_[2]>>()
  })

  test('a push metric has the parameters of trackPush', () => {
    expectTypeOf<PushMetric>().toExtend<PushRequestData>()
    expectTypeOf<Of<'trackPush'>['event']>().toEqualTypeOf<NonNullable<PushRequestData['event']>>()
  })
})

test("a Pipelines message is customerio-node's payload without messageId", () => {
  type Without<T> = T & { readonly messageId?: never }
  expectTypeOf<Without<IdentifyPayload>>().toExtend<MessageOf<'pipelines.identify'>>()
  expectTypeOf<Without<TrackPayload>>().toExtend<MessageOf<'pipelines.track'>>()
  expectTypeOf<Without<PagePayload>>().toExtend<MessageOf<'pipelines.page'>>()
  expectTypeOf<Without<ScreenPayload>>().toExtend<MessageOf<'pipelines.screen'>>()
  expectTypeOf<Without<GroupPayload>>().toExtend<MessageOf<'pipelines.group'>>()
  expectTypeOf<Without<AliasPayload>>().toExtend<MessageOf<'pipelines.alias'>>()

  /** Without the fields that may have the type of an interface. */
  type Rest<T> = T extends unknown ? Omit<T, 'messageId' | 'traits' | 'properties'> : never
  expectTypeOf<Rest<MessageOf<'pipelines.identify'>>>().toEqualTypeOf<Rest<IdentifyPayload>>()
  expectTypeOf<Rest<MessageOf<'pipelines.track'>>>().toExtend<Rest<TrackPayload>>()
  expectTypeOf<Rest<MessageOf<'pipelines.page'>>>().toEqualTypeOf<Rest<PagePayload>>()
  expectTypeOf<Rest<MessageOf<'pipelines.screen'>>>().toEqualTypeOf<Rest<ScreenPayload>>()
  expectTypeOf<Rest<MessageOf<'pipelines.group'>>>().toEqualTypeOf<Rest<GroupPayload>>()
  expectTypeOf<Rest<MessageOf<'pipelines.alias'>>>().toEqualTypeOf<Rest<AliasPayload>>()

  // @ts-expect-error the intent's id is the messageId
  const own: MessageOf<'pipelines.track'> = { userId: 1, event: 'x', messageId: 'mine' }
  expect(() => validateIntent({ operation: 'pipelines.track', message: own })).toThrow(/leave it out/)
})

/** Every field in customerio-node's types. None of them may be refused as unknown, or dropped. */
describe('known fields', () => {
  const common = {
    identifiers: { id: '1' },
    message_data: {},
    disable_message_retention: true,
    queue_draft: true,
    send_at: 5,
    language: 'da',
    transactional_message_id: 'x',
  }
  const EMAIL: Required<Exclude<SendEmailRequestOptions, { body: string; subject: string; from: string }>> & {
    from: string
    subject: string
  } = {
    ...common,
    to: 'a@b',
    headers: { a: '1' },
    preheader: 'x',
    reply_to: 'x',
    bcc: 'x',
    body: 'x',
    body_plain: 'x',
    body_amp: 'x',
    fake_bcc: true,
    send_to_unsubscribed: true,
    tracked: true,
    disable_css_preprocessing: true,
    from: 'x',
    subject: 'x',
  }
  const PUSH: Omit<
    Required<Extract<Taken<typeof SendPushRequest>, { custom_payload: unknown }>>,
    'custom_device'
  > = {
    ...common,
    to: 'x',
    title: 'x',
    message: 'x',
    send_to_unsubscribed: true,
    image_url: 'x',
    link: 'x',
    sound: 'x',
    custom_data: { a: '1' },
    device: {},
    custom_payload: { ios: {}, android: {} },
  }
  const SMS: Required<Taken<typeof SendSMSRequest>> = { ...common, to: 'x', send_to_unsubscribed: true }
  const INBOX: Required<Taken<typeof SendInboxMessageRequest>> = common
  const IN_APP: Required<Taken<typeof SendInAppRequest>> = common

  test.each<[Operation, object, { message: object }]>([
    ['sendEmail', EMAIL, new SendEmailRequest(EMAIL)],
    ['sendPush', PUSH, new SendPushRequest(PUSH)],
    ['sendSMS', SMS, new SendSMSRequest(SMS)],
    ['sendInboxMessage', INBOX, new SendInboxMessageRequest(INBOX)],
    ['sendInApp', IN_APP, new SendInAppRequest(IN_APP)],
  ])('%s accepts every known field, and customerio-node sends it', (operation, message, request) => {
    expect(() => validateIntent({ operation, message })).not.toThrow()
    const sent = Object.keys(request.message).map((name) => (name === 'custom_device' ? 'device' : name))
    expect(sent.sort()).toEqual(Object.keys(message).sort())
  })

  test('a Pipelines message accepts every known field', async () => {
    const payload: Required<Omit<TrackPayload, 'messageId'>> = {
      userId: 1,
      anonymousId: 'x',
      event: 'x',
      properties: {},
      timestamp: '2020-01-01T00:00:00Z',
      context: {},
      integrations: {},
    }
    expect(() => validateIntent({ operation: 'pipelines.track', message: payload })).not.toThrow()
    expect(new PipelinesClient('x')).toBeInstanceOf(PipelinesClient)
    expect(new APIClient('x')).toBeInstanceOf(APIClient)
  })
})
