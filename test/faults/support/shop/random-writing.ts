import { setTimeout as delay } from 'node:timers/promises'
import type { Chance } from './chance.ts'
import type { Outcome, Step, Transaction, Writer } from './writers.ts'

export interface Habits {
  /** The people of this writer. No other writer may use them. */
  readonly people: readonly string[]
  /** Share of transactions that roll back. Default: 0.15. */
  readonly rolledBack?: number
  /** Share of intents that are rolled back to a savepoint. Default: 0.1. */
  readonly undone?: number
  /** Share of intents that are `identify` instead of `track`. Default: 0.2. */
  readonly identify?: number
  /** Share of transactions that stay open after their last statement. Default: 0.1. */
  readonly held?: number
  /** The longest time for which they stay open. Milliseconds. Default: 100. */
  readonly holdMs?: number
  /** Maximum number of intents in a transaction. Default: 8. */
  readonly steps?: number
}

/** A random transaction. */
export function nextTransaction(chance: Chance, habits: Habits): Transaction {
  const { people, rolledBack = 0.15, undone = 0.1, identify = 0.2, held = 0.1, holdMs = 100 } = habits
  const steps = Array.from(
    { length: chance.between(1, habits.steps ?? 8) },
    (): Step => ({
      person: chance.pick(people),
      undone: chance.happens(undone),
      operation: chance.happens(identify) ? 'identify' : 'track',
    }),
  )
  const end = chance.happens(rolledBack) ? 'rollback' : 'commit'
  if (!chance.happens(held)) return { steps, end }
  const ms = chance.between(1, holdMs)
  return { steps, end, hold: () => delay(ms) }
}

/** Runs random transactions until `more` returns false. */
export async function writeOn(
  writer: Writer,
  chance: Chance,
  habits: Habits,
  more: (last: Outcome | undefined) => boolean | Promise<boolean>,
): Promise<void> {
  for (let last: Outcome | undefined; await more(last); ) {
    last = await writer.transact(nextTransaction(chance, habits))
  }
}
