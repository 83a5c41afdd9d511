import { setTimeout as delay } from 'node:timers/promises'
import { Chance } from '../support/shop/chance.ts'
import { nextTransaction } from '../support/shop/random-writing.ts'
import type { Ledger } from '../support/shop/shop.ts'
import { Writer } from '../support/shop/writers.ts'

const WRITERS = 12
const PEOPLE_EACH = 25
const STEPS_AT_MOST = 24
/** 2 % of the transactions stay open for up to this long. The others end at once. */
const HOLD_MS = 3_000

export interface WritingOptions {
  readonly connectionString: string
  readonly ledger: Ledger
  readonly seed: number
  /** Target number of committed intents, spread evenly over `durationMs`. */
  readonly intents: number
  readonly durationMs: number
}

/**
 * Runs writers that commit, roll back and hold transactions open, until the time is over. Each writer has its own people.
 *
 * @returns the writers. The caller must `reconcile` them after the last incident, and close them.
 */
export async function runWriters(options: WritingOptions): Promise<Writer[]> {
  const chance = new Chance(options.seed)
  const began = performance.now()
  const elapsed = () => performance.now() - began
  const due = () => (options.intents * Math.min(1, elapsed() / options.durationMs)) | 0
  const work = async (number: number, own: Chance) => {
    const { connectionString, ledger } = options
    const writer = new Writer({ connectionString, ledger, name: `w${number}` })
    const habits = {
      people: Array.from({ length: PEOPLE_EACH }, (_, n) => `w${number}p${n}`),
      held: 0.02,
      holdMs: HOLD_MS,
      steps: STEPS_AT_MOST,
    }
    while (elapsed() < options.durationMs) {
      if (ledger.acknowledged.size < due()) await writer.transact(nextTransaction(own, habits))
      else await delay(5)
    }
    return writer
  }
  return Promise.all(Array.from({ length: WRITERS }, (_, number) => work(number, chance.fork())))
}
