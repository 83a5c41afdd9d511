const HOUR_MS = 3_600_000

/** Flags for a Node.js process whose host's clock is off by so many hours. */
export function hostClock(hours: number): string[] {
  const module = new URL('./shifted-date.ts', import.meta.url)
  module.searchParams.set('off', String(hours * HOUR_MS))
  return ['--import', module.href]
}

/** How many hours a time is from now, rounded. */
export function hoursFromNow(unixMs: number): number {
  return Math.round((unixMs - Date.now()) / HOUR_MS) + 0 // not -0
}
