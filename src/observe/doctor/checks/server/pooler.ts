import type pg from 'pg'
import type { Check, Installation } from '../../check.ts'
import { type Finding, ok, warning } from '../../finding.ts'
import { openClient } from '../../open-client.ts'

/** Tries to see one server process through two connections. */
const TRIES = 10

/**
 * Whether a pooler is between this machine and the server, and whether it shares its connections among clients after each
 * transaction, so that LISTEN does not work.
 */
export const pooler: Check = { name: 'pooler', run: checkPooler }

async function checkPooler({
  connectionString,
  listenConnectionString,
}: Installation): Promise<readonly Finding[]> {
  const first = await openClient(connectionString)
  try {
    const second = await openClient(connectionString)
    try {
      if (!(await isPooled(first.client))) return [ok('none: the connection to the server is direct')]
      if (!(await sharesConnections(first.client, second.client)))
        return [ok('a pooler in session mode, or one whose connections are all in use')]
      const what = 'a pooler in transaction mode'
      if (listenConnectionString !== undefined)
        return [ok(`${what}; relays listen through OUTBOX_LISTEN_URL`)]
      return [
        warning(
          `${what}: no notification arrives, so relays poll every second`,
          'set OUTBOX_LISTEN_URL to a direct connection to the same database; see docs/deploy.md#pgbouncer',
        ),
      ]
    } finally {
      await second.close()
    }
  } finally {
    await first.close()
  }
}

/** A pooler invents the process id that it sends to a client, because the client has no server process of its own. */
async function isPooled(client: pg.Client): Promise<boolean> {
  const { processID } = client as pg.Client & { readonly processID?: number }
  return processID !== (await serverProcess(client))
}

/** Whether both clients, while both are connected, get one server process. */
async function sharesConnections(first: pg.Client, second: pg.Client): Promise<boolean> {
  const seen = new Set<number>()
  for (let n = 0; n < TRIES; n++) {
    seen.add(await serverProcess(first))
    if (seen.size > 1 || seen.has(await serverProcess(second))) return true
  }
  return false
}

async function serverProcess(client: pg.Client): Promise<number> {
  const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')
  return rows[0]?.pid ?? 0
}
