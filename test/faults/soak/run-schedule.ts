import { setTimeout as delay } from 'node:timers/promises'
import { describeEntry, type Entry } from './schedule.ts'

export interface RunScheduleOptions {
  readonly entries: readonly Entry[]
  readonly happen: (entry: Entry) => Promise<void>
  readonly signal: AbortSignal
  /** An entry that could not be done as planned. The schedule goes on. */
  readonly onFailure: (entry: Entry, error: Error) => void
  readonly onBegin: (entry: Entry) => void
}

/** Begins each entry at its time, whatever became of the others. Resolves when every one of them has ended. */
export async function runSchedule(options: RunScheduleOptions): Promise<void> {
  const began = performance.now()
  const underWay: Promise<void>[] = []
  for (const entry of options.entries) {
    await delay(Math.max(0, entry.at - (performance.now() - began)), undefined, {
      signal: options.signal,
    }).catch(() => {})
    if (options.signal.aborted) break
    options.onBegin(entry)
    underWay.push(
      Promise.resolve()
        .then(() => options.happen(entry))
        .catch((error: Error) => options.onFailure(entry, error)),
    )
  }
  await Promise.all(underWay)
}

export function describeSchedule(entries: readonly Entry[]): string {
  return entries.map(describeEntry).join('\n')
}
