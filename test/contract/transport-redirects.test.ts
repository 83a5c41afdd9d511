import { TrackClient } from 'customerio-node'
import { MockAgent } from 'undici'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { GuardedDispatcher } from '../../src/customerio/http/guarded-dispatcher.ts'
import { startCaptureServer } from '../support/wire/capture-server.ts'
import { GOLDENS, type Golden, INTENT_ID, OCCURRED_AT } from '../support/wire/goldens.ts'
import { createTransport } from '../support/wire/transports.ts'

const ORIGIN = 'https://track.customer.io'
let agent: MockAgent

beforeEach(() => {
  agent = new MockAgent()
  agent.disableNetConnect()
})

afterEach(() => agent.close())

const path = '/api/v2/batch'

function redirect(from: string, to: string, status = 307): void {
  const interceptor = agent.get(from).intercept({ path: () => true, method: 'POST' })
  interceptor.reply(status, '', { headers: { location: to } })
}

async function call() {
  const dispatcher = new GuardedDispatcher(agent, ORIGIN)
  const client = new TrackClient('site', 'key', {
    url: `${ORIGIN}/api/v1`,
    retry: { maxRetries: 0 },
    dispatcher: dispatcher as unknown as NonNullable<RequestInit['dispatcher']>,
  })
  try {
    return { json: await client.batch([{ type: 'person' }] as never), dispatcher }
  } catch (error) {
    const { cause } = error as Error
    return { error: cause instanceof Error ? cause.message : (error as Error).message, dispatcher }
  }
}

describe('a redirect', () => {
  test.each([301, 302, 307, 308])(
    '%d to the other region is followed, credential included',
    async (status) => {
      redirect(ORIGIN, `https://track-eu.customer.io${path}`, status)
      let authorization: unknown
      agent
        .get('https://track-eu.customer.io')
        .intercept({ path, method: 'POST' })
        .reply(200, ({ headers }) => {
          authorization = new Headers(headers as Record<string, string>).get('authorization')
          return '{"ok":true}'
        })
      expect(await call()).toMatchObject({ json: { ok: true } })
      expect(authorization).toMatch(/^Basic /)
    },
  )

  test.each([
    'http://track-eu.customer.io',
    'https://customer.io.example.com',
    'https://evilcustomer.io',
    'https://track.customer.io.evil.example',
    'https://example.com',
    'https://127.0.0.1',
    'http://169.254.169.254',
  ])('to %s is not followed', async (target) => {
    redirect(ORIGIN, target + path)
    const { error, dispatcher } = await call()
    expect(error).toBeDefined()
    expect(agent.pendingInterceptors()).toEqual([])
    expect(dispatcher.written).toBe(false)
  })

  test('in a loop ends after three redirects', async () => {
    for (let hop = 0; hop < 5; hop++) redirect(ORIGIN, ORIGIN + path)
    const { error, dispatcher } = await call()
    expect(error).toBe('more than 3 redirects')
    expect(agent.pendingInterceptors()).toHaveLength(1)
    expect(dispatcher.written).toBe(false)
  })

  test('in a loop between two hosts ends after three redirects', async () => {
    for (let hop = 0; hop < 3; hop++) {
      redirect(ORIGIN, `https://track-eu.customer.io${path}`)
      redirect('https://track-eu.customer.io', ORIGIN + path)
    }
    expect((await call()).error).toBe('more than 3 redirects')
  })
})

describe('a redirect as an answer', () => {
  test.each([
    ['without a location', {}],
    ['to a relative address', { location: '/elsewhere' }],
    ['off the domain', { location: 'https://example.com/api/v2/batch' }],
    ['with a credential in it', { location: 'https://user:secret@track-eu.customer.io' }],
  ])(
    '%s: a server that redirects has not applied the request',
    async (_name, headers: Record<string, string>) => {
      const server = await startCaptureServer()
      server.answer({ status: 307, headers })
      const transport = createTransport('track', server.url)
      const { operation, payload } = GOLDENS[0] as Golden
      const row = { id: INTENT_ID, operation, payload, occurredAtSeconds: OCCURRED_AT }
      const answer = await transport.send([transport.prepare(row)])
      await Promise.all([transport.close(), server.close()])
      expect(answer).toMatchObject({ kind: 'unavailable', outcome: 'not_applied' })
    },
  )
})
