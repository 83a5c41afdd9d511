/** An app that stores an intent, and prints the result. */
import { createOutbox, intents } from 'customerio-outbox'
import { Client } from 'pg'

async function main(): Promise<void> {
  const client = new Client({ connectionString: process.env.DATABASE_URL })
  await client.connect()
  await client.query('BEGIN')
  const { id, duplicate } = await createOutbox().enqueue(client, intents.track('u1', 'order_placed'), {
    dedupKey: process.argv[1],
  })
  await client.query('COMMIT')
  await client.end()
  console.log(JSON.stringify({ id, duplicate }))
}

void main()
