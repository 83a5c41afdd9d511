import type { Intent } from '../../src/index.ts'
import type { WorkspaceOptions } from '../../src/relay.ts'
import type { FakeOperation } from '../../src/testing/index.ts'
import { eventually } from './eventually.ts'
import { operate } from './operate.ts'
import { everyApi, type Harness, stepOf } from './relay-harness.ts'

type OnDead = WorkspaceOptions['onDead']

export const identify = (customerId: string, plan = 'pro'): Intent => ({
  operation: 'identify',
  customerId,
  attributes: { plan },
})

/** Helpers for the tests of dead letters that hold, on the database and the fake of a harness. */
export function holding(h: Harness) {
  const count = async (from: string) =>
    Number((await h.db.rows<{ n: string }>(`SELECT count(*) AS n FROM outbox.${from}`))[0]?.n)
  const letters = (more = 'true') =>
    h.db.rows<{ id: string; seq: string; holds: boolean; reason: string; ordering_key: string }>(
      `SELECT id, seq, holds, reason, ordering_key FROM outbox.dead_letters WHERE ${more} ORDER BY seq`,
    )
  const op = operate(h)
  return {
    op,
    count,
    letters,
    /** A relay of the workspace `default`, with all APIs of the fake. */
    relay: (onDead: OnDead, settings: Parameters<Harness['relay']>[0] = {}) =>
      h.relay({
        customerio: { ...everyApi(h.fake), requestsPerSecond: { track: 10_000 }, onDead },
        ...settings,
      }),
    /** Makes the fake refuse the operations of these steps of `track`, or every `identify`. Returns a function that ends it. */
    refuse: (matches: (step: number | undefined, operation: FakeOperation) => boolean) =>
      h.fake.misbehave({ kind: 'refuse', operation: (operation) => matches(stepOf(operation), operation) }),
    /** Waits until this many intents are held. */
    held: (n: number) =>
      eventually(`${n} held intents`, async () => (await count('intents WHERE lane < -1')) === n),
    dead: (n: number) => eventually(`${n} dead letters`, async () => (await letters()).length === n),
    /** Redrives or discards, and waits until it is done. */
    act: async (kind: 'redrive' | 'discard', filter: object) => op.ended(await op.apply(kind, filter)),
    /** The steps that the fake applied for a person, in order. */
    stepsOf: (person: string) =>
      h.fake.applied
        .filter(({ personKey }) => personKey === `id:${person}`)
        .map(({ action, body }) => stepOf(body) ?? action),
  }
}
