import type { Gateway } from './gateway.ts'

export interface Holding {
  /** How many requests wait. */
  readonly count: number
  /** Operations of the requests that wait. */
  readonly operations: number
  /** Passes every waiting request on, and holds later ones. Resolves when they are answered. */
  release(): Promise<void>
  /** The same, and later requests pass. */
  end(): Promise<void>
}

/** From now on requests wait in the gateway, before Customer.io sees them. */
export function holdRequests(gateway: Gateway): Holding {
  let waiting: { readonly operations: number; readonly forward: () => Promise<void> }[] = []
  gateway.intercept(({ passage, forward }) => {
    const { batch } = JSON.parse(passage.body.toString()) as { batch?: unknown[] }
    waiting.push({ operations: batch?.length ?? 1, forward })
  })
  const release = async () => {
    const released = waiting
    waiting = []
    await Promise.all(released.map(({ forward }) => forward()))
  }
  return {
    get count() {
      return waiting.length
    },
    get operations() {
      return waiting.reduce((sum, { operations }) => sum + operations, 0)
    },
    release,
    async end() {
      gateway.intercept(() => 'pass on')
      await release()
    },
  }
}
