const HOUR_MS = 3_600_000

/** Node.js flags that shift the clock of the process by `hours`, like a wrong clock of its host. */
export function hostClock(hours: number): string[] {
  const module = new URL('./shifted-date.ts', import.meta.url)
  module.searchParams.set('off', String(hours * HOUR_MS))
  return ['--import', module.href]
}

/** Hours from now until a time, rounded. Negative for a past time. */
export function hoursFromNow(unixMs: number): number {
  return Math.round((unixMs - Date.now()) / HOUR_MS) + 0 // not -0
}
