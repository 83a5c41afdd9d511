import { expect, test } from 'vitest'
import { createOutbox, InvalidOptionError } from '../../src/index.ts'
import { createRelay, drain, InvalidSettingError, migrate, migrationScript } from '../../src/relay.ts'

const SECRET = 'postgres://app:hunter2@localhost/app'
const GOOD = { connectionString: SECRET, customerio: { siteId: 's', trackApiKey: 'k' } }
const withCustomerio = (more: object) => ({ ...GOOD, customerio: { ...GOOD.customerio, ...more } })
const URL_EXPECTED =
  'Expected connectionString to be a URL such as postgres://user:password@host:5432/database'

function messageOf(make: () => unknown, Expected: typeof InvalidOptionError | typeof InvalidSettingError) {
  try {
    make()
  } catch (error) {
    expect(error).toBeInstanceOf(Expected)
    return (error as Error).message
  }
  return 'accepted'
}

test.each<[unknown, string]>([
  [undefined, 'Expected the relay options to be an object, got nothing'],
  [{}, `${URL_EXPECTED}, got nothing`],
  [{ ...GOOD, connectionString: '' }, `${URL_EXPECTED}, got an empty string`],
  [{ ...GOOD, connectionString: 5 }, `${URL_EXPECTED}, got number`],
  [
    { connectionString: SECRET },
    'Expected customerio or workspaces to have the credentials of a workspace, got none',
  ],
  [
    { ...GOOD, worker: 3 },
    'Expected the relay options to have known names only, got "worker": did you mean workers?',
  ],
  [{ ...GOOD, workers: 'many' }, 'Expected workers to be a whole number from 1 to 64, got "many"'],
  [{ ...GOOD, workers: 65 }, 'Expected workers to be a whole number from 1 to 64, got 65'],
  [{ ...GOOD, workers: 1.5 }, 'Expected workers to be a whole number from 1 to 64, got 1.5'],
  [
    { ...GOOD, pollIntervalMs: 5 },
    'Expected pollIntervalMs to be a whole number from 50 to 60000 milliseconds, got 5',
  ],
  [{ ...GOOD, checkRegion: 'no' }, 'Expected checkRegion to be a boolean, got "no"'],
  [{ ...GOOD, customerio: 'hunter2' }, 'Expected customerio to be an object, got string'],
  [
    { connectionString: SECRET, workspaces: { a: 'hunter2' } },
    'Expected workspaces.a to be an object, got string',
  ],
  [{ connectionString: SECRET, workspaces: 'hunter2' }, 'Expected workspaces to be a record, got string'],
  [{ ...GOOD, breaker: 5 }, 'Expected breaker to be an object, got 5'],
  [
    { ...GOOD, breaker: { failure: 5 } },
    'Expected breaker to have known names only, got "failure": did you mean failures?',
  ],
  [
    { ...GOOD, breaker: { rejectionShare: 7 } },
    'Expected breaker.rejectionShare to be a number from 0.01 to 1, got 7',
  ],
  [withCustomerio({ region: 'mars' }), 'Expected customerio.region to be "us" or "eu", got "mars"'],
  [
    withCustomerio({ trackUrl: 'ftp://app:hunter2@host' }),
    'Expected customerio.trackUrl to be an http or https URL without a path, got string',
  ],
  [
    withCustomerio({ maxAgeSeconds: 0 }),
    'Expected customerio.maxAgeSeconds to be a number of seconds above 0, at most 315360000 (ten years), got 0',
  ],
  [
    withCustomerio({ deliveredPayloads: 'hold' }),
    'Expected customerio.deliveredPayloads to be "drop" or "keep", got "hold"',
  ],
  [
    withCustomerio({ deliveredPayloads: 'keep', deliveredPayloadDays: 3_654 }),
    'Expected customerio.deliveredPayloadDays to be a whole number from 1 to 3653, got 3654',
  ],
  [
    withCustomerio({ deliveredPayloadDays: 5 }),
    'Expected customerio to have deliveredPayloads "keep" if it has deliveredPayloadDays, got deliveredPayloads not set',
  ],
  [
    withCustomerio({ onDead: 'stop' }),
    `Expected customerio.onDead to be 'continue', 'hold', or an object of them by operation, such as { identify: 'hold' }, got "stop"`,
  ],
  [
    withCustomerio({ onDead: { identfy: 'hold' } }),
    'Expected customerio.onDead to have known names only, got "identfy": did you mean identify?',
  ],
  [
    withCustomerio({ onDead: { identify: 'stop' } }),
    "Expected customerio.onDead to be 'continue', 'hold', or an object of them by operation, such as { identify: 'hold' }, got object",
  ],
  [
    withCustomerio({ requestsPerSecond: { track: 0 } }),
    'Expected customerio.requestsPerSecond.track to be a number above 0, at most 100000, got 0',
  ],
  [
    { connectionString: SECRET, customerio: { siteId: 'hunter2' } },
    'Expected customerio to have both siteId and trackApiKey, got siteId alone',
  ],
  [
    { connectionString: SECRET, workspaces: { a: { trackApiKey: 'hunter2', appApiKey: 'hunter2' } } },
    'Expected workspaces.a to have both siteId and trackApiKey, got trackApiKey alone',
  ],
  [
    { connectionString: SECRET, customerio: { region: 'eu' } },
    'Expected customerio to have siteId and trackApiKey, appApiKey, or pipelinesWriteKey, got none of them',
  ],
  [
    withCustomerio({ appApiKey: 'hunter2 hunter2' }),
    'Expected customerio.appApiKey to be a credential of Customer.io, got a text that contains a space: copy the credential again, as visible ASCII characters without spaces',
  ],
  [
    withCustomerio({ appApiKey: '' }),
    'Expected customerio.appApiKey to be a credential of Customer.io, got a text that is empty: give a credential of Customer.io',
  ],
  [withCustomerio({ appApiKey: 5 }), 'Expected customerio.appApiKey to be a string, got number'],
  [
    withCustomerio({ trackUrl: 'https://hunter2.example/v1' }),
    'Expected customerio.trackUrl to be an http or https URL without a path, got string',
  ],
  [
    withCustomerio({ trackUrl: 'hunter2' }),
    'Expected customerio.trackUrl to be an http or https URL without a path, got string',
  ],
  [
    withCustomerio({ allowRecipients: ['*@example.com', ''] }),
    'Expected customerio.allowRecipients.1 to be an address, an id, or a pattern such as *@example.com, got an empty string',
  ],
  [
    withCustomerio({ allowRecipients: 'all' }),
    'Expected customerio.allowRecipients to be an array, got string',
  ],
  [{ ...GOOD, schema: 7 }, 'Expected schema to be a string, got 7'],
  [{ ...GOOD, retry: null }, 'Expected retry to be an object, got null'],
  [
    { connectionString: SECRET, workspaces: { 'a b': GOOD.customerio } },
    'Expected the name of a workspace to be 1 to 63 letters, digits, - or _, beginning with a letter or digit, got "a b"',
  ],
  [
    { connectionString: SECRET, workspaces: { a: { ...GOOD.customerio, trackurl: 'x' } } },
    'Expected workspaces.a to have known names only, got "trackurl": did you mean trackUrl?',
  ],
])('createRelay refuses wrong options (case %#)', (options, message) => {
  const found = messageOf(() => createRelay(options as never), InvalidSettingError)
  expect(found).toBe(message)
  expect(found).not.toContain('hunter2')
})

test.each<[unknown, string]>([
  [
    { scheme: 'x' },
    'Expected the options of createOutbox to have known names only, got "scheme": did you mean schema?',
  ],
  [{ schema: 7 }, 'Expected schema to be a string, got number'],
  [{ onIgnored: 'log' }, 'Expected onIgnored to be a function (error) => void, got string'],
  [null, 'Expected the options of createOutbox to be an object, got null'],
])('createOutbox refuses wrong options (case %#)', (options, message) => {
  expect(messageOf(() => createOutbox(options as never), InvalidOptionError)).toBe(message)
})

test.each<[unknown, string]>([
  [undefined, 'Expected the options of migrate to be an object, got undefined'],
  [{}, `${URL_EXPECTED}, got nothing`],
  [{ connectionString: '' }, `${URL_EXPECTED}, got an empty string`],
  [
    { connectionString: SECRET, shcema: 'x' },
    'Expected the options of migrate to have known names only, got "shcema": did you mean schema?',
  ],
  [
    { connectionString: SECRET, lockWaitMs: -1 },
    'Expected lockWaitMs to be a number of milliseconds, 0 or more, got number',
  ],
  [
    { connectionString: SECRET, onWait: true },
    'Expected onWait to be a function (message) => void, got boolean',
  ],
])(
  'migrate and migrationScript refuse wrong options without a connection (case %#)',
  async (options, message) => {
    for (const call of [migrate, migrationScript]) {
      const failed = call(options as never)
      await expect(failed).rejects.toBeInstanceOf(InvalidOptionError)
      await expect(failed).rejects.toMatchObject({ message })
    }
  },
)

test.each<[unknown, string]>([
  [undefined, 'Expected the drain options to be an object, got nothing'],
  [
    { ...GOOD, forms: 5 },
    'Expected the drain options to have known names only, got "forms": did you mean forMs?',
  ],
  [{ ...GOOD, forMs: 50 }, 'Expected forMs to be a whole number from 100 to 900000 milliseconds, got 50'],
  [
    { ...GOOD, forMs: 900_001 },
    'Expected forMs to be a whole number from 100 to 900000 milliseconds, got 900001',
  ],
  [{ ...GOOD, signal: {} }, 'Expected signal to be an AbortSignal, got object'],
  [{ ...GOOD, observe: 1 }, 'Expected observe to be a function, got 1'],
  [{ ...GOOD, workers: 65 }, 'Expected workers to be a whole number from 1 to 64, got 65'],
  [
    { connectionString: SECRET },
    'Expected customerio or workspaces to have the credentials of a workspace, got none',
  ],
])('drain(%j) is refused: %s', async (options, message) => {
  const error: unknown = await drain(options as never).catch((thrown) => thrown)
  expect(error).toBeInstanceOf(InvalidSettingError)
  expect((error as Error).message).toBe(message)
})
