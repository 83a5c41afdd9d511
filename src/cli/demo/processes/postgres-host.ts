/**
 * Runs the demo's own Postgres, in a process that outlives the demo by a few seconds.
 *
 * A demo that is killed by SIGKILL cannot stop its server. This process can: its IPC channel closes when the demo
 * ends, whatever ended it. It then stops the server and removes the server's folder. The demo starts it in a session of
 * its own, so that Ctrl-C and a closed terminal reach the demo alone.
 */
import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { startRealPostgres } from '../../../testing/postgres/real-postgres.ts'
import type { PostgresReport } from './own-postgres.ts'

/** Milliseconds from the demo's death to the server's end. In this time the relays stop: they lost their channel too. */
const RELAYS_STOP_MS = 1_000

const report = (message: PostgresReport) => {
  if (process.connected) process.send?.(message, undefined, undefined, () => {}) // the demo may be gone
}

/** Starts the server, reports its URL to the demo, and stops the server when the demo asks for it or has ended. */
export async function hostPostgres(): Promise<void> {
  process.stderr.on('error', () => {}) // the terminal may be gone
  const disconnected = process.connected ? once(process, 'disconnect') : Promise.resolve()
  const stopRequested = once(process, 'message')
  try {
    const postgres = await startRealPostgres()
    report({ kind: 'started', url: postgres.url, source: postgres.source })
    await Promise.race([stopRequested, disconnected.then(() => delay(RELAYS_STOP_MS))])
    await postgres.stop()
  } catch (error) {
    report({ kind: 'failed', message: error instanceof Error ? error.message : String(error) })
  }
  if (process.connected) process.disconnect()
}
