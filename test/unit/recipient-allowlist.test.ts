import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Intent } from '../../src/index.ts'
import { recipientAllowlist } from '../../src/relay/destination/recipient-allowlist.ts'

function allows(patterns: readonly string[] | undefined, { operation, ...payload }: Intent): boolean {
  return recipientAllowlist(patterns)?.(operation, payload) ?? true
}

const email = (to: string, more: object = {}): Intent => ({
  operation: 'sendEmail',
  message: { to, identifiers: { id: 'u1' }, transactional_message_id: 1, ...more },
})
const broadcast = (recipients?: object): Intent =>
  ({ operation: 'triggerBroadcast', broadcastId: 1, ...(recipients ? { recipients } : {}) }) as Intent

test('without patterns every intent is allowed, with an empty list none', () => {
  expect(allows(undefined, broadcast())).toBe(true)
  expect(allows([], email('qa@example.com'))).toBe(false)
})

describe('a pattern', () => {
  test.each([
    ['*@example.com', 'qa@example.com', true],
    ['*@example.com', 'QA@Example.COM', true],
    ['*@EXAMPLE.com', 'qa@example.com', true],
    ['*@example.com', 'qa@example.com.evil.net', false],
    ['*@example.com', 'qa@examplexcom', false],
    ['qa+*@example.com', 'qa+7@example.com', true],
    ['qa+*@example.com', 'qaa@example.com', false],
    ['qa*', 'not-qa@example.com', false],
    ['*', 'anybody@anywhere.net', true],
    ['qa@example.com', 'qa@example.com', true],
    ['qa@example.com', 'xqa@example.com', false],
    ['(a|b)*', 'a@example.com', false],
  ])('%s allows %s: %s', (pattern, to, allowed) => {
    expect(allows([pattern], email(to))).toBe(allowed)
  })
})

const EXAMPLE = ['*@example.com']

describe('every recipient must be allowed', () => {
  test.each<[string, Intent, boolean]>([
    ['several, all allowed', email('a@example.com, Bo <b@example.com>'), true],
    ['several, one not allowed', email('a@example.com, Real <real@person.net>'), false],
    ['a name that looks like an address', email('"a@example.com" <real@person.net>'), false],
    ['a bcc that is not allowed', email('a@example.com', { bcc: 'real@person.net' }), false],
    ['an allowed bcc', email('a@example.com', { bcc: 'b@example.com' }), true],
  ])('%s', (_, intent, allowed) => {
    expect(allows(EXAMPLE, intent)).toBe(allowed)
  })
})

describe('an address list', () => {
  test.each<[string, boolean]>([
    ['"Doe, Jane" <jane@example.com>', true],
    ['"Doe, Jane" <jane@example.com>, joe@example.com', true],
    ['"Doe, Jane" <jane@person.net>', false],
    ['"Jane \\"QA\\" Doe" <jane@example.com>', true],
    ["O'Neil <o@example.com>", true],
    ['J. Doe <j@example.com>', true],
    ['Jané <jane@example.com>', true],
    ['Team: a@example.com, b@example.com;', true],
    ['Team: a@example.com, real@person.net;', false],
    ['Team: real@person.net;, a@example.com', false],
    ['undisclosed-recipients:;', false],
    ['a@example.com (QA)', true],
    ['(QA, staging) a@example.com', true],
    ['a@example.com (real@person.net)', false],
    ['a(real@person.net,)b@example.com', false],
    ['a@example.com,', true],
    ['a@example.com, , b@example.com', true],
    ['real@person.net,', false],
    [',real@person.net', false],
    [',', false],
    ['a@example.com; real@person.net', false],
    ['a@example.com real@person.net', false],
    ['real@person.net a@example.com', false],
    ['real@person.net <a@example.com>', false],
    ['<real@person.net> <a@example.com>', false],
    ['"real@person.net"@example.com', false],
    ['"real@person.net," <a@example.com>', false],
    ['real%person.net@example.com', true],
    ['<@person.net:a@example.com>', false],
    ['a@example.com\r\nBcc: real@person.net', false],
    ['a@example.com\\, real@person.net', false],
    ['Doe, Jane <jane@example.com>', false],
    ['<a@example.com', true],
    ['a@example.com>', false],
    ['a @ example.com', false],
    ['a\\b@example.com', false],
    [`${'('.repeat(5_000)}a@example.com`, false],
    [Array.from({ length: 600 }, () => 'Jane <jane@example.com>').join(', '), false],
  ])('%s is allowed: %s', (to, allowed) => {
    expect(allows(EXAMPLE, email(to))).toBe(allowed)
    expect(allows(EXAMPLE, broadcast({ emails: [to] }))).toBe(allowed)
    expect(allows(EXAMPLE, broadcast({ per_user_data: [{ email: to }] }))).toBe(allowed)
  })

  test.each<[string, boolean]>([
    ['+1555 0100', true],
    ['(+1)555-0100', false],
    ['+15550100, +4930123456', false],
    ['+15550100; +4930123456', false],
  ])('the phone number %s is allowed: %s', (to, allowed) => {
    const sms: Intent = {
      operation: 'sendSMS',
      message: { to, identifiers: { id: 'u1' }, transactional_message_id: 1 },
    }
    expect(allows(['+1555*'], sms)).toBe(allowed)
  })

  const real = 'real@person.net'
  const word = fc.stringMatching(/^[a-z0-9.]{1,8}$/)
  const name = fc.oneof(
    word,
    fc.stringMatching(/^"[a-z ,;:<>()]{0,12}"$/),
    fc.stringMatching(/^\([a-z ,;]{0,9}\)$/),
  )
  const mailbox = (address: string) =>
    fc.oneof(
      fc.constant(address),
      name.map((one) => `${one} <${address}>`),
      name.map((one) => `${address} (${one.replace(/[()"]/g, '')})`),
    )

  test('a well-formed list is allowed if every address is allowed', () => {
    const lists = fc.array(
      word.chain((one) => mailbox(`${one}@example.com`)),
      { minLength: 1, maxLength: 5 },
    )
    fc.assert(
      fc.property(lists, (one) => {
        expect(allows(EXAMPLE, email(one.join(', ')))).toBe(true)
      }),
    )
  })

  test('no text with the address of a real person is allowed, whatever is around it', () => {
    const piece = fc.oneof(
      fc.constantFrom(...'"\'<>()[]:;,@.\\ \t\n%', 'a@example.com', '<b@example.com>', '=?utf-8?q?', '?='),
      word,
      fc.string({ maxLength: 4 }),
    )
    const around = fc.array(piece, { maxLength: 8 }).map((pieces) => pieces.join(''))
    fc.assert(
      fc.property(around, around, fc.constantFrom('', ' ', ',', '<', '"', '('), (before, after, edge) => {
        expect(allows(EXAMPLE, email(`${before}${edge}${real}, ${after}`))).toBe(false)
        expect(allows(EXAMPLE, email(`${before} <${real}>${after}`))).toBe(false)
      }),
      { numRuns: 2_000 },
    )
  })
})

describe('a broadcast', () => {
  test.each<[string, Intent, boolean]>([
    ['to its own segment', broadcast(), false],
    ['to a filter', broadcast({ segment: { id: 1 } }), false],
    ['to an empty list', broadcast({ emails: [] }), false],
    ['to a file', broadcast({ data_file_url: 'https://example.com/all.jsonl' }), false],
    ['to allowed addresses', broadcast({ emails: ['a@example.com', 'b@example.com'] }), true],
    [
      'to one address that is not allowed',
      broadcast({ emails: ['a@example.com', 'real@person.net'] }),
      false,
    ],
    ['to an id', broadcast({ ids: [7] }), false],
    [
      'to people with data',
      broadcast({ per_user_data: [{ email: 'a@example.com', data: {} }, { email: 'b@example.com' }] }),
      true,
    ],
    [
      'to people with data, one of them not allowed',
      broadcast({ per_user_data: [{ email: 'a@example.com' }, { id: 'u1' }] }),
      false,
    ],
  ])('%s', (_, intent, allowed) => {
    expect(allows(EXAMPLE, intent)).toBe(allowed)
  })
})

describe('the people of an intent', () => {
  const push = (to?: string): Intent => ({
    operation: 'sendPush',
    message: { identifiers: { id: 'test-7' }, transactional_message_id: 1, ...(to ? { to } : {}) },
  })
  test.each<[string, Intent]>([
    ['an id', { operation: 'track', customerId: 'test-1', name: 'x' }],
    ['an identifier', { operation: 'identify', identifiers: { email: 'test-@x.net' } }],
    [
      'both people of a merge',
      { operation: 'mergeCustomers', primary: { id: 'test-1' }, secondary: { id: 'test-2' } },
    ],
    ['the person of a push', push()],
    ['the person of a push to any device', push('last_used')],
    [
      'an entity',
      { operation: 'entity', entity: { type: 'person', action: 'delete', identifiers: { id: 'test-1' } } },
    ],
    ['a Pipelines message', { operation: 'pipelines.track', message: { userId: 'test-1', event: 'x' } }],
    [
      'both people of an alias',
      { operation: 'pipelines.alias', message: { userId: 'test-1', previousId: 'test-2' } },
    ],
  ])('%s', (_, intent) => {
    expect(allows(['test-*'], intent)).toBe(true)
    expect(allows(['other-*'], intent)).toBe(false)
  })
  test.each<[string, Intent]>([
    [
      'only one person of a merge',
      { operation: 'mergeCustomers', primary: { id: 'test-1' }, secondary: { id: 'u2' } },
    ],
    [
      'only one person of an alias',
      { operation: 'pipelines.alias', message: { userId: 'test-1', previousId: 'u2' } },
    ],
    [
      'the address that an identify sets',
      { operation: 'identify', customerId: 'test-1', attributes: { email: 'real@person.net' } },
    ],
  ])('not allowed: %s', (_, intent) => {
    expect(allows(['test-*'], intent)).toBe(false)
  })
})

test('for an invite the recipient decides, not the person of the event', () => {
  const invite = (anonymousId: string, recipient: string): Intent => ({
    operation: 'trackAnonymous',
    anonymousId,
    name: 'invite',
    data: { recipient },
  })
  expect(allows(['qa-*', '*@example.com'], invite('qa-1', 'real@customer.test'))).toBe(false)
  expect(allows(['*@example.com'], invite('', 'qa@example.com'))).toBe(true)
})
