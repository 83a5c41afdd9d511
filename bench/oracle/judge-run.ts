import type pg from 'pg'
import type { Api } from '../api/api.ts'
import { withClient } from '../machine/postgres.ts'
import { checkSettled } from '../peers/outbox/backlog.ts'
import { type Committed, judgeArrivals } from './judge-arrivals.ts'

/**
 * What a run of this project has broken: its rate is worth nothing if an intent was lost, applied twice, or out of
 * order. Asks the API what arrived, and the database what it holds after everything was to be delivered.
 */
export async function judgeRun(
  api: Api,
  databaseUrl: string,
  committed: (client: pg.Client) => Promise<Committed> | Committed,
): Promise<string[]> {
  return withClient(databaseUrl, async (client) => {
    const events = await committed(client)
    const said = await checkSettled(client, events.size)
    return [...judgeArrivals(await api.log(), events), ...(said === undefined ? [] : [said])]
  })
}
