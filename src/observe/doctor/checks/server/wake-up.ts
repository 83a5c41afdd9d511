import { randomBytes } from 'node:crypto'
import type pg from 'pg'
import { within } from '../../../../relay/timing/within.ts'
import { innermostError, oneLine } from '../../../../store/connection/describe-error.ts'
import { select } from '../../../views/queryable.ts'
import { ANSWER_MS, type Check, type Installation } from '../../check.ts'
import { type Finding, ok, warning } from '../../finding.ts'
import { type OpenClient, openClient } from '../../open-client.ts'

/**
 * Whether a notification that an app sends through DATABASE_URL arrives at a relay, which listens through OUTBOX_LISTEN_URL
 * if that is set. The channel is one beside the wake-up channel: a pooler may keep a LISTEN for its next client.
 */
export const wakeUp: Check = { name: 'wake_up', run: checkWakeUp }

async function checkWakeUp(installation: Installation): Promise<readonly Finding[]> {
  const { connectionString, listenConnectionString } = installation
  const setting = listenConnectionString === undefined ? 'DATABASE_URL' : 'OUTBOX_LISTEN_URL'
  if (await isQueueFull(installation)) {
    return [ok('not checked: no notification is sent while the queue of notifications is half full')]
  }
  const sender = await openClient(connectionString)
  let listener: OpenClient | undefined
  try {
    listener = await openClient(listenConnectionString ?? connectionString)
    const ms = await roundTrip(listener.client, sender.client, installation.names.channel)
    if (ms !== undefined)
      return [
        ok(
          `relays listen on ${installation.names.channel}; a notification through ${setting} takes ${ms} ms`,
        ),
      ]
    return [
      warning(
        `LISTEN through ${setting} succeeds, but no notification arrives within 3 s: relays poll every second`,
        `set OUTBOX_LISTEN_URL to a direct connection to the same database; see docs/deploy.md#pgbouncer`,
      ),
    ]
  } catch (error) {
    const reason = oneLine(innermostError(error).message || innermostError(error).code || 'unknown error')
    return [
      warning(
        `LISTEN through ${setting} fails: ${reason}: relays poll every second`,
        `set ${setting} to the primary server; see docs/operations.md#connections`,
      ),
    ]
  } finally {
    await Promise.all([sender.close(), listener?.close()])
  }
}

async function isQueueFull({ db }: Installation): Promise<boolean> {
  const [row] = await select<{ full: boolean }>(db, 'SELECT pg_notification_queue_usage() > 0.5 AS full')
  return row?.full ?? false
}

/** Milliseconds from NOTIFY to its arrival. Undefined if it does not arrive. */
async function roundTrip(
  listener: pg.Client,
  sender: pg.Client,
  wakeUps: string,
): Promise<number | undefined> {
  const channel = `${wakeUps}:doctor:${randomBytes(4).toString('hex')}`
  const { promise: arrived, resolve } = Promise.withResolvers<number>()
  listener.on('notification', (notification) => {
    if (notification.channel === channel) resolve(performance.now())
  })
  await listener.query(`LISTEN "${channel}"`)
  try {
    const sent = performance.now()
    await sender.query('SELECT pg_notify($1, $2)', [channel, ''])
    const at = await within(ANSWER_MS, arrived)
    return at === undefined ? undefined : Math.round(at - sent)
  } finally {
    await listener.query(`UNLISTEN "${channel}"`)
  }
}
