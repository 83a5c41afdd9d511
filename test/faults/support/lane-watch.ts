import type { FakeCustomerIo } from '../../../src/testing/index.ts'
import type { TestDatabase } from '../../support/database.ts'

/** What a lane is known by from outside: the people it is for, asked of the database beforehand. */
export type LaneOf = (person: string) => number

export async function lanesOf(db: TestDatabase, people: readonly string[]): Promise<LaneOf> {
  const rows = await db.rows<{ person: string; lane: number }>(
    "SELECT person, outbox.lane_of('default/track', person, 'normal') AS lane FROM unnest($1::text[]) AS person",
    [people],
  )
  const lanes = new Map(rows.map(({ person, lane }) => [person, lane]))
  return (person) => {
    const lane = lanes.get(person)
    if (lane === undefined) throw new Error(`${person} is not among the people of this test`)
    return lane
  }
}

/** Two requests of one lane that were under way at the same time. */
export interface Overlap {
  readonly lane: number
  /** `ordinal` of the requests. */
  readonly requests: readonly [number, number]
}

export interface LaneWatch {
  readonly overlaps: readonly Overlap[]
  /** Those of which a request has arrived. One request may carry several. */
  readonly lanes: ReadonlySet<number>
}

/** Looks at every request that arrives: is another one of its lane still unanswered? Answers must take time for that. */
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
  if (record?.ordinal !== ordinal) throw new Error(`request ${ordinal} is not remembered any more`)
  return record.status === undefined
}
