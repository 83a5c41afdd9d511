import type pg from 'pg'
import { median } from '../measure.ts'

export const VIEWS = [
  'backlog',
  'breaker_state',
  'dead_letter_summary',
  'throughput',
  'relay_fleet',
  'health',
]
const TIMES = 5

/** Median milliseconds of reading all rows of each view of the SQL contract. */
export async function timeViews(client: pg.Client): Promise<Record<string, number>> {
  const times: Record<string, number> = {}
  for (const view of VIEWS) {
    const taken: number[] = []
    for (let time = 0; time < TIMES; time++) {
      const began = performance.now()
      await client.query(`SELECT * FROM outbox."${view}"`)
      taken.push(performance.now() - began)
    }
    times[view] = median(taken)
  }
  return times
}
