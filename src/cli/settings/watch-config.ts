import type { WorkspaceOptions } from '../../relay/options.ts'

/** Watching by events misses changes on network file systems and on mounted secrets: the files are read again. */
const READ_EVERY_MS = 2_000

export interface WatchConfigOptions {
  readonly read: () => Promise<Readonly<Record<string, WorkspaceOptions>>>
  /** What is in force. */
  readonly current: Readonly<Record<string, WorkspaceOptions>>
  /** Puts changed settings in force; may reject, and then those before stay. */
  readonly apply: (workspaces: Readonly<Record<string, WorkspaceOptions>>) => Promise<void>
  /** Told once of each state in which the settings cannot be read or put in force. */
  readonly onBroken: (error: Error) => void
}

/** Reads the settings again and again, and puts them in force when they have changed. Returns what ends it. */
export function watchConfig({ read, current, apply, onBroken }: WatchConfigOptions): () => Promise<void> {
  let seen = JSON.stringify(current)
  let looking = Promise.resolve()

  async function look(): Promise<void> {
    const found = await read().catch((error: Error) => error)
    const state = found instanceof Error ? `broken: ${found.message}` : JSON.stringify(found)
    if (state === seen) return
    seen = state
    if (found instanceof Error) onBroken(found)
    else await apply(found).catch(onBroken)
  }

  const timer = setInterval(() => {
    looking = looking.then(look)
  }, READ_EVERY_MS)
  return () => {
    clearInterval(timer)
    return looking
  }
}
