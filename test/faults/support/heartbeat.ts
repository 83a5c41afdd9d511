import type { TestDatabase } from '../../support/database.ts'
import { eventually } from '../../support/eventually.ts'

/** Waits until every relay has written its next heartbeat, as it does every 3 s. By then it has polled many times. */
export async function nextHeartbeat(db: TestDatabase): Promise<void> {
  const seen = async () => {
    const rows = await db.rows<{ at: string }>(
      'SELECT last_seen_at::text AS at FROM outbox.relays ORDER BY relay_id',
    )
    return rows.map(({ at }) => at)
  }
  const before = await seen()
  await eventually('a heartbeat', async () => (await seen()).every((at, n) => at !== before[n]))
}
