/** Milliseconds before a try after so many failures in a row: doubled with each, never in step with other relays. */
export function backoffMs(failures: number, first: number, max: number): number {
  return Math.min(first * 2 ** (failures - 1), max) * (0.5 + Math.random() / 2)
}
