import type { FakeCustomerIo } from '../../../src/testing/index.ts'
import type { TestDatabase } from '../../support/database.ts'

/** The lane of a person. A request does not show it, so `lanesOf` asks the database for all lanes in advance. */
export type LaneOf = (person: string) => number

export async function lanesOf(db: TestDatabase, people: readonly string[]): Promise<LaneOf> {
  const rows = await db.rows<{ person: string; lane: number }>(
    "SELECT person, outbox.lane_of('default/track', person, 'normal') AS lane FROM unnest($1::text[]) AS person",
    [people],
  )
  const lanes = new Map(rows.map(({ person, lane }) => [person, lane]))
  return (person) => {
    const lane = lanes.get(person)
    if (lane === undefined) throw new Error(`Expected one of the people of this test, got ${person}`)
    return lane
  }
}

/** Two requests of one lane that were in flight at the same time. */
export interface Overlap {
  readonly lane: number
  /** `ordinal` of the requests. */
  readonly requests: readonly [number, number]
}

export interface LaneWatch {
  readonly overlaps: readonly Overlap[]
  /** The lanes of all received requests. One request may have intents of several lanes. */
  readonly lanes: ReadonlySet<number>
}

/** Checks for every request whether an earlier request of its lanes is unanswered. The fake must have latency. */
export function watchLanes(fake: FakeCustomerIo, laneOf: LaneOf): LaneWatch {
  const overlaps: Overlap[] = []
  const lanes = new Set<number>()
  const lastOfLane = new Map<number, number>()
  fake.misbehave({
    kind: 'latency',
    ms: 0,
    match: ({ operations }) => {
      const ordinal = fake.requests.total + 1
      for (const lane of new Set(operations.map(({ identifiers }) => laneOf(String(identifiers?.id))))) {
        lanes.add(lane)
        const before = lastOfLane.get(lane)
        lastOfLane.set(lane, ordinal)
        if (before !== undefined && isUnderWay(fake, before))
          overlaps.push({ lane, requests: [before, ordinal] })
      }
      return false
    },
  })
  return { overlaps, lanes }
}

function isUnderWay(fake: FakeCustomerIo, ordinal: number): boolean {
  const { recent } = fake.requests
  const record = recent[ordinal - 1 - (fake.requests.total - recent.length)]
  if (record?.ordinal !== ordinal)
    throw new Error(`Expected request ${ordinal} among the recent ones; raise keepRequests`)
  return record.status === undefined
}
