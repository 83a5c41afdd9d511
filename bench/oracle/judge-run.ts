import type pg from 'pg'
import type { Api } from '../api/api.ts'
import { withClient } from '../machine/postgres.ts'
import { checkSettled } from '../peers/outbox/backlog.ts'
import { type Committed, judgeArrivals } from './judge-arrivals.ts'

/**
 * Returns the violated promises of a run of this project. Its rate does not count if an intent was lost, applied twice,
 * or out of order. Checks the arrivals at the API and the final state of the database.
 */
export async function judgeRun(
  api: Api,
  databaseUrl: string,
  committed: (client: pg.Client) => Promise<Committed> | Committed,
): Promise<string[]> {
  return withClient(databaseUrl, async (client) => {
    const events = await committed(client)
    const violation = await checkSettled(client, events.size)
    return [...judgeArrivals(await api.log(), events), ...(violation === undefined ? [] : [violation])]
  })
}
