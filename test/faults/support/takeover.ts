/** Time limit from the death of a relay to the first request of another relay for its lanes. Milliseconds. */
export const TAKEOVER_MS = 20_000
