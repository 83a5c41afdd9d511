import { z } from 'zod'

/** A number of milliseconds, bounded so that a slip of units (seconds for ms) is found at construction. */
const ms = (min: number, max: number) => z.number().int().min(min).max(max)

export const relayOptionsSchema = z.strictObject({
  connectionString: z.string().min(1),
  schema: z.string().optional(),
  customerio: z.strictObject({
    siteId: z.string().min(1),
    trackApiKey: z.string().min(1),
    region: z.enum(['us', 'eu']).optional(),
    trackUrl: z
      .url({ protocol: /^https?$/ })
      .refine((url) => new URL(url).pathname === '/', 'must be an origin, without a path')
      .optional(),
  }),
  lanes: z.number().int().min(1).max(64).default(16),
  connections: z.number().int().min(2).max(50).default(6),
  pollIntervalMs: ms(50, 60_000).default(1_000),
  requestTimeoutMs: ms(100, 120_000).default(10_000),
  batchSize: z.number().int().min(1).max(2_000).default(1_000),
  retry: z
    .strictObject({
      attempts: z.number().int().min(0).max(5).default(2),
      initialDelayMs: ms(1, 60_000).default(200),
    })
    .prefault({}),
  breaker: z
    .strictObject({
      failures: z.number().int().min(1).max(1_000).default(5),
      successes: z.number().int().min(1).max(100).default(3),
      halfOpenAfterMs: ms(10, 3_600_000).default(30_000),
      maxHalfOpenAfterMs: ms(10, 86_400_000).default(300_000),
    })
    .prefault({}),
  deliveredRetentionDays: z.number().int().min(1).max(3_650).default(7),
})

/** Settings of a relay. Every number is bounded; a wrong one is refused at construction, by name. */
export interface RelayOptions {
  /** The database that the apps enqueue in. */
  readonly connectionString: string
  /** Default: `outbox`. */
  readonly schema?: string | undefined
  readonly customerio: {
    readonly siteId: string
    readonly trackApiKey: string
    /** Default: `us`. */
    readonly region?: 'us' | 'eu' | undefined
    /** Origin in place of Customer.io's, for a proxy or a test. */
    readonly trackUrl?: string | undefined
  }
  /** Lanes worked at a time, 1–64. Default: 16. */
  readonly lanes?: number | undefined
  /** Connections of the relay's own pool, 2–50; one for LISTEN and at most two of pg-boss come on top. Default: 6. */
  readonly connections?: number | undefined
  /** Milliseconds between polls, the backstop of lost wake-ups; 50–60,000. Default: 1,000. */
  readonly pollIntervalMs?: number | undefined
  /** Milliseconds that one request may take; 100–120,000. Default: 10,000. */
  readonly requestTimeoutMs?: number | undefined
  /** Intents of one request at most, 1–2,000; bytes bound it too. Default: 1,000. */
  readonly batchSize?: number | undefined
  readonly retry?:
    | {
        /** Quick retries in process before the lane waits, 0–5. Default: 2. */
        readonly attempts?: number | undefined
        /** Milliseconds before the first of them, growing, with jitter. Default: 200. */
        readonly initialDelayMs?: number | undefined
      }
    | undefined
  readonly breaker?:
    | {
        /** Consecutive failures that open it. Default: 5. */
        readonly failures?: number | undefined
        /** Successes that close it again. Default: 3. */
        readonly successes?: number | undefined
        /** Milliseconds until the first probe, doubled with every failed one. Default: 30,000. */
        readonly halfOpenAfterMs?: number | undefined
        /** Milliseconds that the delay grows to. Default: 300,000. */
        readonly maxHalfOpenAfterMs?: number | undefined
      }
    | undefined
  /** Days that delivered rows are kept. Default: 7. */
  readonly deliveredRetentionDays?: number | undefined
}

export type ResolvedRelayOptions = z.output<typeof relayOptionsSchema>

/** A relay's setting is wrong: "Expected lanes to be …, got …". */
export class InvalidSettingError extends Error {
  override readonly name = 'InvalidSettingError'
  readonly code = 'INVALID_SETTING'
}

export function resolveRelayOptions(options: RelayOptions): ResolvedRelayOptions {
  const result = relayOptionsSchema.safeParse(options)
  if (result.success) return result.data
  const [issue] = result.error.issues
  const setting = issue?.path.join('.') || 'the relay options'
  throw new InvalidSettingError(`${setting}: ${issue?.message ?? 'is not valid'}`)
}
