import { setTimeout as delay } from 'node:timers/promises'
import type { Chance } from './chance.ts'
import type { Outcome, Step, Transaction, Writer } from './writers.ts'

export interface Habits {
  /** Who the writer writes about: nobody else does. */
  readonly people: readonly string[]
  /** Of all transactions. Default: 0.15. */
  readonly rolledBack?: number
  /** Of all intents: written under a savepoint and taken back. Default: 0.1. */
  readonly undone?: number
  /** Of all intents: `identify` instead of `track`. Default: 0.2. */
  readonly identify?: number
  /** Of all transactions: kept open after their last statement. Default: 0.1. */
  readonly held?: number
  /** Milliseconds, at most. Default: 100. */
  readonly holdMs?: number
  /** Intents of a transaction, at most. Default: 8. */
  readonly steps?: number
}

/** A transaction as an app might have it. */
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

/** Writes until `more` says no. */
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
