import { Chance } from '../../support/shop/chance.ts'
import { GATEWAY_ANSWERS, type GatewayAnswer } from './gateway-answers.ts'

/** One fault. Durations are in milliseconds. `relay` is the relay's index, from 0. */
export type Incident =
  | { readonly kind: 'kill' | 'deploy'; readonly relay: number; readonly downMs: number }
  | { readonly kind: 'freeze'; readonly relay: number; readonly forMs: number }
  | { readonly kind: 'cut'; readonly relay: number; readonly how: 'rst' | 'fin' }
  | { readonly kind: 'swallow'; readonly relay: number; readonly direction: 'up' | 'down' | 'both' }
  | { readonly kind: 'slow'; readonly relay: number; readonly delayMs: number; readonly forMs: number }
  | { readonly kind: 'refuse'; readonly relay: number; readonly forMs: number }
  | { readonly kind: 'terminate'; readonly sessions: 'relays' | 'writers' | 'all' }
  | { readonly kind: 'postgres'; readonly how: 'fast' | 'immediate' | 'crash'; readonly downMs: number }
  /**
   * The replica receives nothing for `lagMs` and until something is committed. Then the primary crashes and the replica
   * is promoted. Meanwhile each answer takes `latencyMs`, so that requests are in flight across the failover.
   */
  | { readonly kind: 'failover'; readonly lagMs: number; readonly latencyMs: number }
  /**
   * For `forMs` and until something is committed, the server acknowledges commits before it writes them. Then it crashes
   * and loses the last ones. Meanwhile each answer takes `latencyMs`.
   */
  | {
      readonly kind: 'lossy crash'
      readonly forMs: number
      readonly downMs: number
      readonly latencyMs: number
    }
  /** The database's clock is set this many seconds ahead of the machine's. Negative: behind it. */
  | { readonly kind: 'clock'; readonly offsetSeconds: number }
  | { readonly kind: 'latency'; readonly ms: number; readonly forMs: number }
  | { readonly kind: 'outage'; readonly status: number; readonly forMs: number }
  /** `retryAfter` in seconds. 0: no `Retry-After` header. */
  | {
      readonly kind: 'rate limit'
      readonly retryAfter: number
      readonly times: number
      readonly forMs: number
    }
  | (Ambiguous & { readonly kind: 'reset' | 'hang' | '500' })
  | { readonly kind: 'garbage'; readonly times: number; readonly forMs: number }
  | { readonly kind: '207' | '400'; readonly oneIn: number; readonly forMs: number }
  /** A gateway answers instead of Customer.io. `403 to a text` affects only requests with a ref that ends with `ref`. */
  | { readonly kind: 'gateway'; readonly answer: GatewayAnswer; readonly ref: number; readonly forMs: number }

interface Ambiguous {
  readonly after: 'apply' | 'before'
  /** How many requests the incident affects at most, within `forMs`. */
  readonly times: number
  readonly forMs: number
}

export interface Entry {
  /** Milliseconds after the start. */
  readonly at: number
  readonly incident: Incident
}

/** Relative frequency of each kind. */
const WEIGHTS: Readonly<Record<Incident['kind'], number>> = {
  kill: 8,
  deploy: 4,
  freeze: 6,
  cut: 10,
  swallow: 6,
  slow: 4,
  refuse: 3,
  terminate: 8,
  postgres: 3,
  failover: 4,
  'lossy crash': 4,
  clock: 5,
  latency: 8,
  outage: 5,
  'rate limit': 5,
  reset: 8,
  hang: 5,
  '500': 6,
  garbage: 3,
  '207': 5,
  '400': 3,
  gateway: 12,
}

/** Offsets in seconds: 0, minutes, an hour, and four days, which is past the partitions created in advance. */
const CLOCK_OFFSETS = [0, 0, -100, 100, -3_600, 3_600, 345_600] as const

/** The largest is a little less than the request timeout of 3 s. */
const LATENCIES_MS = [0, 500, 1_500, 2_500] as const

const GAP_MS = { least: 500, most: 3_500 }

export const KINDS = Object.keys(WEIGHTS) as readonly Incident['kind'][]

/**
 * Plans all incidents in advance. Equal arguments give equal schedules.
 *
 * @param only The kinds of incident. Default: every kind.
 */
export function planSchedule(
  seed: number,
  minutes: number,
  relays: number,
  only: readonly Incident['kind'][] = KINDS,
): Entry[] {
  const chance = new Chance(seed)
  const weights = Object.fromEntries(only.map((kind) => [kind, WEIGHTS[kind]])) as typeof WEIGHTS
  const entries: Entry[] = []
  for (let at = chance.between(1_000, 3_000); at < minutes * 60_000; ) {
    entries.push({ at, incident: nextIncident(chance, relays, weights) })
    at += chance.between(GAP_MS.least, GAP_MS.most)
  }
  return entries
}

function nextIncident(chance: Chance, relays: number, weights: typeof WEIGHTS): Incident {
  const kind = chance.weighted(weights)
  const relay = chance.between(0, relays - 1)
  const forMs = chance.between(1_000, 6_000)
  // Mostly shorter than the wait for a breaker's probe. Otherwise each probe meets a fault, and delivery stops for minutes.
  const shortMs = chance.between(300, 2_500)
  const times = chance.between(1, 6)
  const after = chance.pick(['apply', 'before'] as const)
  switch (kind) {
    case 'kill':
    case 'deploy':
      return { kind, relay, downMs: chance.between(0, 8_000) }
    case 'freeze':
      // Half of them last longer than the 10 s after which a worker without a heartbeat counts as dead.
      return { kind, relay, forMs: chance.pick([chance.between(500, 5_000), chance.between(14_000, 25_000)]) }
    case 'cut':
      return { kind, relay, how: chance.pick(['rst', 'fin']) }
    case 'swallow':
      return { kind, relay, direction: chance.pick(['up', 'down', 'both']) }
    case 'slow':
      return { kind, relay, delayMs: chance.between(20, 300), forMs }
    case 'refuse':
      return { kind, relay, forMs }
    case 'terminate':
      return { kind, sessions: chance.pick(['relays', 'relays', 'writers', 'all']) }
    case 'postgres':
      return { kind, how: chance.pick(['fast', 'immediate', 'crash']), downMs: chance.between(0, 3_000) }
    case 'failover':
      return { kind, lagMs: chance.between(100, 3_000), latencyMs: chance.pick(LATENCIES_MS) }
    case 'lossy crash':
      return {
        kind,
        forMs: chance.between(500, 4_000),
        downMs: chance.between(0, 2_000),
        latencyMs: chance.pick(LATENCIES_MS),
      }
    case 'clock':
      return { kind, offsetSeconds: chance.pick(CLOCK_OFFSETS) }
    case 'latency':
      return { kind, ms: chance.between(20, 1_500), forMs }
    case 'outage':
      return { kind, status: chance.pick([502, 503, 504]), forMs: shortMs }
    case 'rate limit':
      return { kind, retryAfter: chance.between(0, 2), times, forMs: shortMs }
    case 'reset':
    case 'hang':
    case '500':
      return { kind, after, times, forMs: shortMs }
    case 'garbage':
      return { kind, times, forMs: shortMs }
    case '207':
    case '400':
      return { kind, oneIn: chance.between(50, 500), forMs }
    case 'gateway':
      return { kind, answer: chance.pick(GATEWAY_ANSWERS), ref: chance.between(10, 99), forMs: shortMs }
  }
}

/** `12.4 s  freeze relay=1 forMs=20311` */
export function describeEntry({ at, incident }: Entry): string {
  const { kind, ...rest } = incident
  const details = Object.entries(rest).map(([name, value]) => `${name}=${value}`)
  return `${(at / 1_000).toFixed(1).padStart(6)} s  ${[kind, ...details].join(' ')}`
}
