/**
 * Each of these changes makes a test fail: no comparison of times in `setAttributes`, no `suppressed` in `apply`, `people_of` left
 * out of `outbox.timeline`, no order by `written_at`, no `first_kept`.
 */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Intent } from '../../src/index.ts'
import { foldTimeline, type PersonTimeline } from '../../src/observe/timeline/fold-timeline.ts'
import { readTimeline } from '../../src/observe/timeline/read-timeline.ts'
import { namesOf } from '../../src/store/names.ts'
import { operate } from '../support/operate.ts'
import { email, everyApi, type Harness, startHarness, track } from '../support/relay-harness.ts'

let h: Harness
beforeEach(async () => {
  h = await startHarness()
})
afterEach(() => h.close())

const keep = () => ({ workspaces: { default: { ...everyApi(h.fake), deliveredPayloads: 'keep' as const } } })
const customerId = 'u1'
const identify = (attributes: Record<string, string | null | boolean>, timestamp?: number): Intent => ({
  operation: 'identify',
  customerId,
  attributes,
  ...(timestamp === undefined ? {} : { timestamp }),
})

const read = async (person: string, until?: Date) =>
  foldTimeline(await readTimeline(h.db.pool, namesOf(), person, until), person)
async function only(person: string, until?: Date): Promise<PersonTimeline> {
  const [timeline, ...more] = await read(person, until)
  expect(more).toEqual([])
  if (!timeline) throw new Error(`nothing is known of ${person}`)
  return timeline
}

/** What the fake and a fold can both say of a person. */
function present({ profile }: PersonTimeline) {
  if (profile.status !== 'present') return { deleted: true, suppressed: profile.status === 'suppressed' }
  return {
    deleted: false,
    suppressed: false,
    attributes: Object.fromEntries(profile.attributes),
    devices: [...profile.devices.keys()],
    events: profile.events.map(({ name, time }) => ({ name, time })),
  }
}

function presentInFake() {
  const person = h.fake.person({ id: customerId })
  if (!person || person.deleted) return { deleted: true, suppressed: person?.suppressed ?? false }
  return {
    deleted: false,
    suppressed: false,
    attributes: person.attributes,
    devices: person.devices.map(({ token }) => token),
    events: person.events.map(({ body, timestamp }) => ({ name: body.name, time: timestamp })),
  }
}

/** A generator of numbers below `below`, the same for the same seed. */
function numbers(seed: number) {
  let state = seed
  return (below: number) => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648
    return Math.floor((state / 2_147_483_648) * below)
  }
}

function anyIntent(next: (below: number) => number): Intent {
  const timestamp = 1_750_000_000 + next(50)
  const name = `a${next(4)}`
  const deviceId = `d${next(3)}`
  const kinds: (() => Intent)[] = [
    () => identify({ [name]: `v${next(9)}`, [`a${next(4)}`]: next(3) === 0 ? null : 'x' }, timestamp),
    () => identify({ [name]: '' }, timestamp),
    () => identify({ [name]: 'u', _update: true }, timestamp),
    () => ({ operation: 'track', customerId, name, timestamp }),
    () => ({ operation: 'trackPageView', customerId, path: '/p', timestamp }),
    () => ({
      operation: 'entity',
      entity: { type: 'person', action: 'event', identifiers: { id: customerId }, name },
    }),
    () => ({ operation: 'addDevice', customerId, deviceId, platform: 'ios' }),
    () => ({ operation: 'deleteDevice', customerId, deviceId }),
    () => ({ operation: 'destroy', customerId }),
    () => ({ operation: next(3) === 0 ? 'suppress' : 'unsuppress', customerId }),
    () => ({ operation: 'unsuppress', customerId }),
  ]
  // The first six are the more frequent ones.
  const kind = kinds[next(3) === 0 ? next(kinds.length) : next(6)]
  return kind ? kind() : anyIntent(next)
}

test.each([1, 2, 3, 4, 5])(
  'the fold of what was delivered is what Customer.io has (seed %s)',
  async (seed) => {
    const next = numbers(seed)
    await h.relay(keep())
    await h.enqueue(
      identify({ a0: 'first' }, 1_750_000_000),
      ...Array.from({ length: 60 }, () => anyIntent(next)),
    )
    await h.drained()
    const { completeSince, ...timeline } = await only(customerId)
    expect(present({ completeSince, ...timeline })).toEqual(presentInFake())
    const ignored = timeline.ignored.filter(({ because }) => because !== 'older_than_known')
    expect(ignored.map(({ intent }) => intent.operation).length).toBe(h.fake.counts.ignored)
    expect(completeSince).toBeInstanceOf(Date)
  },
)

describe('a timeline', () => {
  test('up to a time has what was written until then; the end has messages and what is not delivered', async () => {
    const relay = await h.relay(keep())
    await h.enqueue(identify({ plan: 'free' }), email(customerId, 1))
    await h.drained()
    const [{ now }] = (await h.db.rows<{ now: Date }>('SELECT clock_timestamp() AS now')) as [{ now: Date }]
    await h.enqueue(identify({ plan: 'pro' }))
    await h.drained()
    await relay.stop()
    const [dead] = await operate(h).deadLetters(track(customerId, 1))
    const [pending] = await h.enqueue(track(customerId, 2))
    const [scheduled] = await h.enqueueWith(
      { sendAfter: new Date(Date.now() + 3_600_000) },
      track(customerId, 3),
    )

    const before = await only(customerId, now)
    expect(present(before)).toMatchObject({ attributes: { plan: 'free' }, events: [] })
    expect(before.notDelivered).toEqual([])
    const after = await only(customerId)
    expect(present(after)).toMatchObject({ attributes: { plan: 'pro' }, events: [] })
    expect(after.messages).toMatchObject([{ operation: 'sendEmail', name: '1' }])
    expect(after.notDelivered.map(({ id, state }) => [id, state])).toEqual([
      [dead, 'dead'],
      [pending, 'pending'],
      [scheduled, 'scheduled'],
    ])
    expect(after.notDelivered.map(({ detail }) => detail)).toEqual([
      'rejected: 400 bad name',
      expect.stringContaining('no relay is running'),
      expect.stringContaining('scheduled for'),
    ])
  })

  test('says since when payloads are kept, and which deliveries it lacks', async () => {
    const relay = await h.relay()
    const [gone] = await h.enqueue(identify({ plan: 'free' }))
    await h.drained()
    expect(await only(customerId)).toMatchObject({ completeSince: null, profile: { status: 'unknown' } })
    await relay.updateWorkspaces(keep().workspaces)
    await h.enqueue(track('u2', 1))
    await h.drained()
    await h.enqueue(identify({ color: 'red' }))
    await h.drained()
    const timeline = await only(customerId)
    expect(timeline.notKept.map(({ id }) => id)).toEqual([gone])
    expect(present(timeline)).toMatchObject({ attributes: { color: 'red' } })
    const [first] = await h.db.rows<{ at: Date }>('SELECT min(delivered_at) AS at FROM outbox.archive')
    expect(timeline.completeSince).toEqual(first?.at)
  })

  test('is one of each workspace, and only of the person, though others use the same ordering key', async () => {
    await h.relay({ workspaces: { default: keep().workspaces.default, b: keep().workspaces.default } })
    await h.enqueue(identify({ plan: 'a' }))
    await h.db.transaction((tx) => h.outbox.enqueue(tx, identify({ plan: 'b' }), { workspace: 'b' }))
    await h.enqueueWith({ orderingKey: customerId }, track('u2', 1))
    await h.drained()
    const timelines = await read(customerId)
    expect(timelines.map(({ workspace }) => workspace)).toEqual(['b', 'default'])
    expect(timelines.map(present)).toMatchObject([
      { attributes: { plan: 'b' } },
      { attributes: { plan: 'a' }, events: [] },
    ])
  })

  test('follows a merge in both directions, Pipelines calls, and an email in any case', async () => {
    await h.relay(keep())
    await h.enqueue(
      track(customerId, 1),
      { operation: 'mergeCustomers', primary: { id: customerId }, secondary: { id: 'u0' } },
      { operation: 'pipelines.identify', message: { userId: customerId, traits: { plan: 'p' } } },
      { operation: 'identify', identifiers: { email: 'Jane@Example.com' }, attributes: { a: 1 } },
    )
    await h.enqueueWith(
      { orderingKey: 'u0' },
      { operation: 'mergeCustomers', primary: { id: customerId }, secondary: { id: 'u0' } },
    )
    await h.drained()
    expect(await only(customerId)).toMatchObject({ profile: { status: 'present', mergedIn: [{ id: 'u0' }] } })
    expect(present(await only(customerId))).toMatchObject({ attributes: { plan: 'p' } })
    expect(await only('id:u0')).toMatchObject({
      profile: { status: 'deleted', mergedInto: { id: customerId } },
    })
    expect(present(await only('jane@example.COM'))).toMatchObject({ attributes: { a: 1 } })
  })

  test('is for operators only', async () => {
    const readAs = (role: string) =>
      h.db.transaction(async (tx) => {
        await tx.query(`SET LOCAL ROLE ${role}`)
        return (await tx.query('SELECT * FROM outbox.timeline($1)', [customerId])).rows
      })
    expect(await readAs('outbox_operator')).toEqual([])
    await expect(readAs('outbox_viewer')).rejects.toThrow('permission denied')
    await expect(read(' ')).rejects.toThrow('timeline needs a person')
  })
})
