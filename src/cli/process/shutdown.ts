export interface ShutdownOptions {
  /** Milliseconds from the signal to the forced end, with exit status 1. */
  readonly timeoutMs: number
  readonly onSignal: (signal: keyof typeof SIGNAL_STATUS) => void
  /** Called when `timeoutMs` has passed, before the process ends. */
  readonly onTimeout: () => void
}

/** The exit status of a process that a signal has ended, as shells report it. */
export const SIGNAL_STATUS = { SIGINT: 130, SIGTERM: 143 } as const

/**
 * Resolves on SIGTERM or SIGINT. The process then has `timeoutMs` to end. A second signal ends it at once.
 *
 * A process with an IPC channel treats the end of its parent as a SIGTERM, because no parent is left to send one.
 */
export function untilSignal(options: ShutdownOptions): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  let isEnding = false
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      if (isEnding) process.exit(SIGNAL_STATUS[signal])
      isEnding = true
      options.onSignal(signal)
      setTimeout(() => {
        options.onTimeout()
        process.exit(1)
      }, options.timeoutMs).unref()
      resolve()
    })
  }
  stopWithParent()
  return promise
}

function stopWithParent(): void {
  const stop = () => process.kill(process.pid, 'SIGTERM')
  if (process.connected === false) stop() // the parent ended while this process started
  if (!process.channel) return
  process.channel.unref()
  process.once('disconnect', stop)
}
