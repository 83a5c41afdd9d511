/** How long a lane of a relay that died may stand still, from its death to the first request of another. */
export const TAKEOVER_MS = 20_000
