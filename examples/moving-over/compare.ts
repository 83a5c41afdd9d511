/** Signs a user up with the old and with the new code, and compares what reaches a fake Customer.io. */
import { deepEqual, equal, rejects } from 'node:assert/strict'
import { createRelay } from 'customerio-outbox/relay'
import { startFakeCustomerIo } from 'customerio-outbox/testing'
import { pool } from './database.ts'

const fake = await startFakeCustomerIo({ siteId: 'site', trackApiKey: 'key', appApiKey: 'app-key' })
process.env.CUSTOMERIO_URL = fake.url // for before.ts
const before = await import('./before.ts')
const after = await import('./after.ts')
const relay = createRelay({
  connectionString: process.env.DATABASE_URL ?? '',
  customerio: {
    siteId: 'site',
    trackApiKey: 'key',
    trackUrl: fake.url,
    appApiKey: 'app-key',
    appUrl: fake.url,
  },
  breaker: { halfOpenAfterMs: 1_000 },
})
relay.on('error', (error) => console.error(error.message))
await relay.start()
await pool.query('CREATE TABLE IF NOT EXISTS users (id text, email text NOT NULL, plan text NOT NULL)')

const user = { id: 'u1', email: 'jane@example.com', plan: 'pro' }
try {
  await before.signUp(user)
  const expected = arrived()
  await restart()
  await after.signUp(user)
  await fake.until(isComplete)
  deepEqual(arrived(), expected)
  console.log('the same calls arrive from before.ts and from after.ts:', expected.calls.join(', '))

  await restart()
  const endOutage = fake.misbehave({ kind: 'outage' })
  await rejects(before.signUp({ ...user, id: 'u2' }))
  endOutage()
  equal(fake.counts.applied, 0)
  console.log('in an outage, before.ts has stored the user, and its calls are lost')

  await restart()
  fake.misbehave({ kind: 'outage' })
  await after.signUp(user)
  await fake.until(({ requests }) => (requests.byStatus[503] ?? 0) > 0)
  fake.behave()
  await fake.until(isComplete, { timeoutMs: 30_000 })
  deepEqual(arrived(), expected)
  console.log('in an outage, after.ts has stored the user, and its calls arrive later')
} finally {
  await relay.stop()
  await fake.close()
  await pool.end()
}

/** Forgets what arrived, and the users. */
async function restart(): Promise<void> {
  fake.reset()
  await pool.query('TRUNCATE users')
}

function isComplete(): boolean {
  return fake.counts.applied === 3 && fake.sends.length === 1
}

/** What Customer.io knows. Only the id and the time of an event differ: the outbox gives both to every event. */
function arrived() {
  const person = fake.person({ id: user.id })
  return {
    calls: [...fake.applied.map(({ action }) => action), ...fake.sends.map(({ kind }) => kind)],
    attributes: person?.attributes,
    events: person?.events.map(({ name, body }) => ({ name, data: body.attributes })),
    devices: person?.devices.map(({ token, platform }) => ({ token, platform })),
    emails: fake.sends.map(({ body }) => body),
  }
}
