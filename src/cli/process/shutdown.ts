/** How long an ordered end may take, and what a signal turns into. */
export interface ShutdownOptions {
  readonly timeoutMs: number
  readonly onSignal: (signal: NodeJS.Signals) => void
  /** The deadline has passed: say so before the process ends. */
  readonly onTimeout: () => void
}

const STATUS = { SIGINT: 130, SIGTERM: 143 } as const

/**
 * Waits for SIGTERM or SIGINT. From then on the process has `timeoutMs` to end; after it, it ends with status 1. A
 * second signal ends it at once. A Node parent with a channel to it that has gone counts as a SIGTERM: nobody
 * would be left to send one.
 */
export function untilSignal(options: ShutdownOptions): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  let ending = false
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      if (ending) process.exit(STATUS[signal])
      ending = true
      options.onSignal(signal)
      setTimeout(() => {
        options.onTimeout()
        process.exit(1)
      }, options.timeoutMs).unref()
      resolve()
    })
  }
  if (process.channel) {
    process.channel.unref()
    process.once('disconnect', () => process.kill(process.pid, 'SIGTERM'))
  }
  return promise
}
