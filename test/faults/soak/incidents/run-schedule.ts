import { setTimeout as delay } from 'node:timers/promises'
import { describeEntry, type Entry } from './schedule.ts'

export interface RunScheduleOptions {
  readonly entries: readonly Entry[]
  readonly applyIncident: (entry: Entry) => Promise<void>
  readonly signal: AbortSignal
  /** Receives an entry that failed. The schedule continues. */
  readonly onFailure: (entry: Entry, error: Error) => void
  readonly onBegin: (entry: Entry) => void
}

/** Starts each entry at its time, even if others failed. Resolves when all of them have ended. */
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
        .then(() => options.applyIncident(entry))
        .catch((error: Error) => options.onFailure(entry, error)),
    )
  }
  await Promise.all(underWay)
}

export function describeSchedule(entries: readonly Entry[]): string {
  return entries.map(describeEntry).join('\n')
}
