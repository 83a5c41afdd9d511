/** A program that migrates an empty database, and delivers an intent to the fake Customer.io. */
import { createOutbox, intents } from 'customerio-outbox'
import { createRelay, migrate } from 'customerio-outbox/relay'
import { startFakeCustomerIo } from 'customerio-outbox/testing'
import { Client } from 'pg'

async function main(): Promise<void> {
  const connectionString = process.env.DATABASE_URL ?? ''
  const { applied } = await migrate({ connectionString })
  const fake = await startFakeCustomerIo()
  const customerio = { siteId: 'site', trackApiKey: 'key', trackUrl: fake.url }
  const relay = createRelay({ connectionString, customerio, checkRegion: false })
  await relay.start()

  const client = new Client({ connectionString })
  await client.connect()
  await client.query('BEGIN')
  await createOutbox().enqueue(client, intents.track('u1', 'order_placed'))
  await client.query('COMMIT')
  await client.end()

  await fake.until(() => fake.counts.applied === 1)
  const events = fake.person({ id: 'u1' })?.events.map(({ name }) => name)
  await relay.stop()
  await fake.close()
  console.log(JSON.stringify({ migrations: applied.length, events }))
}

void main()
