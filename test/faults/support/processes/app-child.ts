import pg from 'pg'
import { createOutbox } from '../../../../src/enqueue/outbox.ts'
import type { EnqueueResult } from '../../../../src/enqueue/results.ts'
import type { Intent } from '../../../../src/intent/intent.ts'
import type { EnqueueOptions } from '../../../../src/intent/options.ts'

/** The app's work: each entry is a transaction with its intents. */
export type AppWork = readonly (readonly { readonly intent: Intent; readonly options?: EnqueueOptions }[])[]

/**
 * An app in a separate process: does `APP_WORK` on `DATABASE_URL` and prints the results. With `APP_END=killed` it kills
 * itself as soon as the first COMMIT is confirmed, like a power failure: it closes and prints nothing.
 */
const client = new pg.Client({ connectionString: process.env.DATABASE_URL })
await client.connect()
const outbox = createOutbox()
const results: EnqueueResult[] = []
const work = JSON.parse(process.env.APP_WORK ?? '[]', (name, value) =>
  name === 'sendAfter' || name === 'expiresAt' ? new Date(value) : value,
) as AppWork
for (const enqueued of work) {
  await client.query('BEGIN')
  for (const { intent, options } of enqueued)
    results.push(await outbox.enqueue(client, intent, options ?? {}))
  await client.query('COMMIT')
  if (process.env.APP_END === 'killed') process.kill(process.pid, 'SIGKILL')
}
process.stdout.write(JSON.stringify({ results, now: Date.now() }))
await client.end()
