import { setTimeout as delay } from 'node:timers/promises'
import type { Queryable } from '../../observe/views/queryable.ts'
import { readBacklog } from '../../observe/views/read-backlog.ts'
import { type BreakerStatus, readBreakerState } from '../../observe/views/read-breaker-state.ts'
import { type RelayStatus, readRelayFleet } from '../../observe/views/read-relay-fleet.ts'
import type { Names } from '../../store/names.ts'

const LOOK_EVERY_MS = 200

/** What the views say at one moment. */
export interface Sight {
  readonly pending: number
  readonly lagSeconds: number
  readonly breaker: BreakerStatus | undefined
  readonly relays: readonly RelayStatus[]
}

/** Looks at the views while the demo runs, as an operator would. */
export class Monitor {
  readonly #db: Queryable
  readonly #names: Names
  readonly #onSight: (sight: Sight) => void
  #sight: Sight = { pending: 0, lagSeconds: 0, breaker: undefined, relays: [] }

  constructor(db: Queryable, names: Names, onSight: (sight: Sight) => void) {
    this.#db = db
    this.#names = names
    this.#onSight = onSight
  }

  get sight(): Sight {
    return this.#sight
  }

  async look(): Promise<Sight> {
    const backlog = await readBacklog(this.#db, this.#names)
    const [breaker] = await readBreakerState(this.#db, this.#names)
    this.#sight = {
      pending: backlog.reduce((sum, row) => sum + row.pending, 0),
      lagSeconds: Math.max(0, ...backlog.map((row) => row.lagSeconds)),
      breaker,
      relays: await readRelayFleet(this.#db, this.#names),
    }
    this.#onSight(this.#sight)
    return this.#sight
  }

  /** Looks until `signal` is aborted. */
  async watch(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.look()
      await delay(LOOK_EVERY_MS, undefined, { signal }).catch(() => {}) // the loop's condition ends it
    }
  }

  /** Resolves once a look, made by `watch`, shows what is wanted; false where `withinMs` has passed. */
  async until(wanted: (sight: Sight) => boolean, withinMs: number, signal: AbortSignal): Promise<boolean> {
    const deadline = performance.now() + withinMs
    while (!wanted(await this.look())) {
      if (performance.now() > deadline) return false
      await delay(20, undefined, { signal })
    }
    return true
  }
}
