import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { checkRegion } from '../../src/customerio/check-region.ts'
import { type CaptureServer, startCaptureServer } from '../support/wire/capture-server.ts'

let server: CaptureServer

beforeEach(async () => {
  server = await startCaptureServer()
})

afterEach(() => server.close())

const credentials = (region?: 'us' | 'eu') => ({
  siteId: 'site',
  trackApiKey: 'key',
  region,
  trackUrl: server.url,
})
const names = (region: string) => ({ body: JSON.stringify({ url: 'x', region, environment_id: 3 }) })

describe("the workspace's region", () => {
  test('is asked for with the credential', async () => {
    server.answer(names('us'))
    expect(await checkRegion(credentials())).toEqual({ kind: 'ok', region: 'us' })
    const authorization = `Basic ${Buffer.from('site:key').toString('base64')}`
    expect(server.take()).toMatchObject([
      { method: 'GET', path: '/api/v1/accounts/region', headers: { authorization }, text: '' },
    ])
  })

  test('equals the configured region', async () => {
    server.answer(names('eu'))
    expect(await checkRegion(credentials('eu'))).toEqual({ kind: 'ok', region: 'eu' })
  })

  test('differs from the configured region', async () => {
    server.answer(names('eu'))
    const wrong = { kind: 'wrong_region', configured: 'us', actual: 'eu' }
    expect(await checkRegion(credentials())).toEqual(wrong)
    expect(await checkRegion(credentials('us'))).toEqual(wrong)
  })

  test.each([401, 403])(
    'is not given if the credential is refused with %d, whatever the format of the answer',
    async (status) => {
      server.answer({ status, body: 'Unauthorized request', headers: { 'content-type': 'text/plain' } })
      const refused = { kind: 'credential_refused', status, message: 'text/plain, 20 bytes' }
      expect(await checkRegion(credentials())).toEqual(refused)
    },
  )

  test.each([
    [{ status: 503, body: '{}' }],
    [{ status: 404, body: '{}' }],
    [{ status: 429, body: '{}' }],
    [{ status: 200, body: '<html></html>' }],
    [{ status: 200, body: '{}' }],
    [{ status: 200, body: '{"region":"mars"}' }],
    [{ status: 307, body: '', headers: { location: 'https://example.com' } }],
  ])('is unknown after the answer %j', async (answer) => {
    server.answer(answer)
    expect(await checkRegion(credentials())).toMatchObject({
      kind: 'unreachable',
      message: expect.any(String),
    })
    expect(server.take()).toHaveLength(1)
  })

  test('is unknown without an answer', async () => {
    const { url } = server
    await server.close()
    const check = await checkRegion({ siteId: 'site', trackApiKey: 'key', trackUrl: url })
    expect(check).toMatchObject({ kind: 'unreachable', message: expect.stringContaining('ECONNREFUSED') })
    server = await startCaptureServer()
  })
})
