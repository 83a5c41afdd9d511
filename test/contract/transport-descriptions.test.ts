import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import fc from 'fast-check'
import { afterAll, describe, expect, test } from 'vitest'
import type { Intent } from '../../src/intent/intent.ts'
import type { StoredIntent } from '../../src/customerio/transports/stored-intent.ts'
import { apiOf } from '../../src/intent/operations.ts'
import { toPayload } from '../../src/intent/payload.ts'
import { GOLDENS, type Golden, INTENT_ID, OCCURRED_AT } from '../support/wire/goldens.ts'
import { accepted, candidate } from '../support/intent-arbitraries.ts'
import { startCaptureServer } from '../support/wire/capture-server.ts'
import { createTransport } from '../support/wire/transports.ts'

/**
 * Folder of the OpenAPI descriptions that Customer.io publishes. If it exists, every body is checked against them. This
 * project may not ship the descriptions. The App API has none.
 */
const FOLDER =
  process.env.OUTBOX_API_DESCRIPTIONS ?? path.join(import.meta.dirname, '../../../shared/reference')
const DESCRIPTIONS = {
  track: { file: 'track-api-openapi.json', prefix: '' },
  pipelines: { file: 'pipelines-api-openapi.json', prefix: '/v1' },
} as const
/** Golden whose form the descriptions do not have. Other clients send this form, so it is an option of the transport. */
const UNDOCUMENTED = 'trackAnonymous on v2'

type Described = keyof typeof DESCRIPTIONS

type Validate = ((body: unknown) => boolean) & { errors?: unknown }
type Ajv = new (
  options: object,
) => { addSchema(schema: unknown, key: string): unknown; compile(schema: object): Validate }

const reason = await missing()
if (reason !== undefined) console.warn(`bodies are not checked against the API descriptions: ${reason}`)

async function missing(): Promise<string | undefined> {
  const file = Object.values(DESCRIPTIONS).find((one) => !existsSync(path.join(FOLDER, one.file)))?.file
  if (file !== undefined) return `no ${file} in ${FOLDER} (OUTBOX_API_DESCRIPTIONS)`
  return (await loadAjv()) === undefined ? 'the ajv package is not installed' : undefined
}

async function loadAjv(): Promise<Ajv | undefined> {
  const name: string = 'ajv/dist/2020.js'
  return import(name).then(
    (module: { Ajv2020: Ajv }) => module.Ajv2020,
    () => undefined,
  )
}

/**
 * Reads `oneOf` as `anyOf`. The descriptions use it for "a known or an anonymous user", and these schemas overlap: taken
 * literally, no event of a known user could be in a batch.
 */
function anyOfForOneOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(anyOfForOneOf)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map(([key, child]) => [key === 'oneOf' ? 'anyOf' : key, anyOfForOneOf(child)]),
  )
}

async function validators(): Promise<(api: Described, path: string, body: unknown) => void> {
  const Ajv2020 = (await loadAjv()) as Ajv
  const ajv = new Ajv2020({ strict: false, validateFormats: false, logger: false })
  for (const [api, { file }] of Object.entries(DESCRIPTIONS)) {
    ajv.addSchema(anyOfForOneOf(JSON.parse(readFileSync(path.join(FOLDER, file), 'utf8'))), api)
  }
  const compiled = new Map<string, Validate>()
  return (api, sentTo, body) => {
    const published = sentTo.slice(DESCRIPTIONS[api].prefix.length).replaceAll('/', '~1')
    const $ref = `${api}#/paths/${published}/post/requestBody/content/application~1json/schema`
    const validate = compiled.get($ref) ?? ajv.compile({ $ref })
    compiled.set($ref, validate)
    const valid = validate(body)
    expect({ body, errors: valid ? null : validate.errors }).toEqual({ body, errors: null })
  }
}

/**
 * Whether the caller chose a form that the description need not allow. An entity is sent unchanged, and so are the
 * attributes of a device, which are strings in the description.
 */
function isCallersForm(intent: Intent): boolean {
  if (intent.operation === 'entity') return true
  if (intent.operation !== 'addDevice') return false
  const { last_used: _lastUsed, ...attributes } = intent.data ?? {}
  return Object.values(attributes).some((value) => typeof value !== 'string')
}

const server = await startCaptureServer()
afterAll(() => server.close())

/** Sends one intent, and returns the requests that arrived. */
async function send(api: Golden['api'], row: StoredIntent, options: Golden['options'] = {}) {
  const transport = createTransport(api, server.url, options)
  await transport.send([transport.prepare(row)])
  await transport.close()
  return server.take().map(({ path, body }) => ({ path, body }))
}

describe.skipIf(reason !== undefined)('bodies match the API descriptions', () => {
  const check = reason === undefined ? validators() : undefined

  test.each(GOLDENS.filter(({ api, name }) => api in DESCRIPTIONS && name !== UNDOCUMENTED))(
    '$name',
    async (golden) => {
      ;(await check)?.(golden.api as Described, golden.path, golden.body)
    },
  )

  test('a body that does not match is found', async () => {
    const wrong = { batch: [{ type: 'person', action: 'identify', identifiers: 'nobody' }] }
    const validate = await check
    expect(() => validate?.('track', '/api/v2/batch', wrong)).toThrow()
    expect(() => validate?.('pipelines', '/v1/batch', { batch: [{ type: 'track', userId: '1' }] })).toThrow()
    expect(() => validate?.('track', '/api/v1/events', { name: 7 })).toThrow()
  })

  test('the body of any accepted intent matches', async () => {
    const validate = await check
    let count = 0
    await fc.assert(
      fc.asyncProperty(candidate, fc.uuid({ version: 7 }), async (value, id) => {
        const intent = accepted(value)
        const api = intent && apiOf(intent.operation)
        if (intent === undefined || (api !== 'track' && api !== 'pipelines')) return
        if (isCallersForm(intent)) return
        count++
        const payload = JSON.parse(JSON.stringify(toPayload(intent)))
        const row = { id, operation: intent.operation, payload, occurredAtSeconds: OCCURRED_AT }
        for (const { path, body } of await send(api, row)) validate?.(api, path, body)
      }),
      { numRuns: 300 },
    )
    expect(count).toBeGreaterThan(100)
  })

  test('the goldens equal the sent bodies', async () => {
    for (const { api, operation, payload, options, path, body } of GOLDENS) {
      const row = { id: INTENT_ID, operation, payload, occurredAtSeconds: OCCURRED_AT }
      expect(await send(api, row, options)).toEqual([{ path, body }])
    }
  })
})
