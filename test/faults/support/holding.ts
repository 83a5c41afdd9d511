import type { Gateway } from './network/gateway.ts'

export interface Holding {
  /** Number of waiting requests. */
  readonly count: number
  /** Number of operations in the waiting requests. */
  readonly operations: number
  /** Forwards the waiting requests and holds later ones. Resolves when the forwarded ones are answered. */
  release(): Promise<void>
  /** Forwards the waiting requests and all later ones. Resolves when the waiting ones are answered. */
  end(): Promise<void>
}

/** Holds all further requests in the gateway, before Customer.io receives them. */
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
