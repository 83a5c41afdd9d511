/**
 * The tables of the outbox as Drizzle definitions: the source of the table migrations, and the package
 * entry `customerio-outbox/schema` for an app that wants them in its own drizzle-kit or queries.
 *
 * Functions and views are custom SQL migrations beside the generated ones. Only the SQL functions and the
 * relay write these tables; an app reads the views.
 */
import { sql } from 'drizzle-orm'
import {
  bigint,
  boolean,
  check,
  index,
  integer,
  jsonb,
  pgSchema,
  primaryKey,
  smallint,
  text,
  timestamp,
  uuid,
} from 'drizzle-orm/pg-core'

export const outbox = pgSchema('outbox')

const instant = (name: string) => timestamp(name, { withTimezone: true })

/**
 * The queue: one row per undelivered intent. `(destination, lane, seq)` is both the identity and the reading
 * order, so an intent costs one insert, one delete and one index entry.
 *
 * Lanes 0–15 carry normal intents, 16–31 bulk ones. Lane −1 is the waiting room of intents whose
 * `send_after` is ahead: they take their lane, and a new `seq`, when they fall due.
 */
export const intents = outbox.table(
  'intents',
  {
    destination: text('destination').notNull(),
    lane: smallint('lane').notNull(),
    seq: bigint('seq', { mode: 'bigint' }).generatedAlwaysAsIdentity().notNull(),
    id: uuid('id').notNull(),
    /** Version of the row's format: a relay leaves rows of a format that it does not know. */
    format: smallint('format').notNull().default(1),
    operation: text('operation').notNull(),
    payload: jsonb('payload').notNull(),
    orderingKey: text('ordering_key').notNull(),
    priority: text('priority').notNull().default('normal'),
    onAmbiguous: text('on_ambiguous').notNull().default('park'),
    enqueuedAt: instant('enqueued_at').notNull(),
    sendAfter: instant('send_after'),
    expiresAt: instant('expires_at'),
    /** When the request began of what must not be sent twice; null where none is under way or of unknown end. */
    sendingAt: instant('sending_at'),
    /** How often it failed alone while others of its destination passed: an outage does not raise it. */
    attempts: smallint('attempts').notNull().default(0),
    /** Not tried again before, nor what follows it of its key: set with `attempts`. */
    retryAt: instant('retry_at'),
  },
  (t) => [
    primaryKey({ name: 'intents_pkey', columns: [t.destination, t.lane, t.seq] }),
    index('intents_scheduled').on(t.destination, t.sendAfter, t.seq).where(sql`${t.lane} = -1`),
    check('intents_lane', sql`${t.lane} BETWEEN -1 AND 31`),
    check('intents_waiting_has_time', sql`${t.lane} >= 0 OR ${t.sendAfter} IS NOT NULL`),
    check('intents_priority', sql`${t.priority} IN ('normal', 'bulk')`),
    check('intents_on_ambiguous', sql`${t.onAmbiguous} IN ('park', 'resend')`),
    check('intents_payload', sql`jsonb_typeof(${t.payload}) = 'object'`),
    check('intents_destination', sql`${t.destination} ~ '^[^/]+/(track|app|broadcast|pipelines)$'`),
  ],
)

/** One row per dedup key: the unique constraint that makes an enqueue happen once within its window. */
export const dedup = outbox.table(
  'dedup',
  {
    workspace: text('workspace').notNull(),
    key: text('key').notNull(),
    intentId: uuid('intent_id').notNull(),
    expiresAt: instant('expires_at').notNull(),
  },
  (t) => [
    primaryKey({ name: 'dedup_pkey', columns: [t.workspace, t.key] }),
    index('dedup_expiry').on(t.expiresAt),
  ],
)

/**
 * What Customer.io has taken, without payloads, in day partitions on `delivered_at`.
 * `PARTITION BY` is added by hand to the generated migration: drizzle-kit has no form for it.
 */
export const delivered = outbox.table(
  'delivered',
  {
    id: uuid('id').notNull(),
    destination: text('destination').notNull(),
    lane: smallint('lane').notNull(),
    seq: bigint('seq', { mode: 'bigint' }).notNull(),
    operation: text('operation').notNull(),
    orderingKey: text('ordering_key').notNull(),
    enqueuedAt: instant('enqueued_at').notNull(),
    deliveredAt: instant('delivered_at').notNull(),
    /** `suppressed_by_config`: the workspace's `allowRecipients` kept it from being sent. */
    outcome: text('outcome').notNull().default('delivered'),
    /** Customer.io's own id of a transactional message. */
    deliveryId: text('delivery_id'),
  },
  (t) => [check('delivered_outcome', sql`${t.outcome} IN ('delivered', 'suppressed_by_config')`)],
)

/** Intents that will not be delivered as they stand, whole, with the reason. */
export const deadLetters = outbox.table(
  'dead_letters',
  {
    id: uuid('id').notNull(),
    destination: text('destination').notNull(),
    seq: bigint('seq', { mode: 'bigint' }).notNull(),
    format: smallint('format').notNull(),
    operation: text('operation').notNull(),
    payload: jsonb('payload').notNull(),
    orderingKey: text('ordering_key').notNull(),
    priority: text('priority').notNull(),
    onAmbiguous: text('on_ambiguous').notNull(),
    enqueuedAt: instant('enqueued_at').notNull(),
    expiresAt: instant('expires_at'),
    deadAt: instant('dead_at').notNull(),
    reason: text('reason').notNull(),
    /** HTTP status of the answer that refused it; null where no request was made. */
    status: smallint('status'),
    field: text('field'),
    message: text('message'),
    /** When the request began whose outcome is not known: reason `ambiguous`. */
    requestedAt: instant('requested_at'),
  },
  (t) => [
    primaryKey({ name: 'dead_letters_pkey', columns: [t.id] }),
    index('dead_letters_summary').on(t.destination, t.operation, t.reason, t.deadAt),
    index('dead_letters_newest').on(t.deadAt, t.destination),
    check(
      'dead_letters_reason',
      sql`${t.reason} IN ('rejected', 'too_large', 'expired', 'invalid', 'ambiguous', 'exhausted')`,
    ),
  ],
)

/** One row per destination that ever failed or was held: the breaker's state for the whole fleet. */
export const breakers = outbox.table(
  'breakers',
  {
    destination: text('destination').primaryKey(),
    state: text('state').notNull().default('closed'),
    failureCount: integer('failure_count').notNull().default(0),
    lastFailureAt: instant('last_failure_at'),
    lastError: text('last_error'),
    openedAt: instant('opened_at'),
    /** When the next probe may be sent. */
    retryAt: instant('retry_at'),
    /** How often in a row it opened: the half-open delay grows with it. */
    consecutiveOpens: integer('consecutive_opens').notNull().default(0),
    /** The one relay that may probe, and until when. */
    probeRelay: uuid('probe_relay'),
    probeUntil: instant('probe_until'),
    /** A rate limit's wait (429): nothing is sent before, and the state stays as it is. */
    rateLimitedUntil: instant('rate_limited_until'),
  },
  (t) => [
    check('breakers_state', sql`${t.state} IN ('closed', 'open', 'half_open', 'paused', 'rejecting')`),
    check('breakers_open_since', sql`${t.state} = 'closed' OR ${t.openedAt} IS NOT NULL`),
    check('breakers_probe', sql`(${t.state} = 'half_open') = (${t.probeRelay} IS NOT NULL)`),
    check('breakers_probe_lease', sql`(${t.probeRelay} IS NULL) = (${t.probeUntil} IS NULL)`),
  ],
)

/** Every change of a breaker's state, with its reason. */
export const breakerTransitions = outbox.table(
  'breaker_transitions',
  {
    ordinal: bigint('ordinal', { mode: 'bigint' }).primaryKey().generatedAlwaysAsIdentity(),
    destination: text('destination').notNull(),
    at: instant('at').notNull(),
    fromState: text('from_state').notNull(),
    toState: text('to_state').notNull(),
    reason: text('reason').notNull(),
    relayId: uuid('relay_id'),
  },
  (t) => [index('breaker_transitions_at').on(t.at)],
)

/** One row per lane that was ever worked: its fence. Taking a lane raises `epoch`; settle checks it. */
export const lanes = outbox.table(
  'lanes',
  {
    destination: text('destination').notNull(),
    lane: smallint('lane').notNull(),
    epoch: bigint('epoch', { mode: 'bigint' }).notNull().default(sql`1`),
    /** The relay that holds the lane; null where nobody does. */
    relayId: uuid('relay_id'),
    takenAt: instant('taken_at'),
    /** Every `seq` up to here was settled, and nothing can appear below any more. */
    watermark: bigint('watermark', { mode: 'bigint' }).notNull().default(sql`0`),
    /** The same as long as none of the transactions `provisional_xids` is over: see the view `lane_watermarks`. */
    provisionalWatermark: bigint('provisional_watermark', { mode: 'bigint' }).notNull().default(sql`0`),
    provisionalXids: bigint('provisional_xids', { mode: 'bigint' }).array().notNull().default(sql`'{}'`),
  },
  (t) => [
    primaryKey({ name: 'lanes_pkey', columns: [t.destination, t.lane] }),
    check('lanes_holder', sql`(${t.relayId} IS NULL) = (${t.takenAt} IS NULL)`),
    check('lanes_provisional', sql`${t.provisionalWatermark} >= ${t.watermark}`),
  ],
)

/** The running relays. A row goes when its relay stops; one that died stays until maintenance removes it. */
export const relays = outbox.table('relays', {
  relayId: uuid('relay_id').primaryKey(),
  host: text('host').notNull(),
  pid: integer('pid').notNull(),
  version: text('version').notNull(),
  startedAt: instant('started_at').notNull(),
  lastSeenAt: instant('last_seen_at').notNull(),
  /** Since when each of its polls fails; null while they succeed. */
  pollsFailingSince: instant('polls_failing_since'),
  /** Why the last one failed, at most 200 characters. */
  pollError: text('poll_error'),
  /** The highest `intents.format` that it knows: rows of a later one it leaves in place. */
  format: smallint('format').notNull().default(1),
})

/**
 * Settled intents counted per minute and bin of latency (enqueue to delivery), so that the throughput view
 * reads thousands of rows and not millions. Bin b holds latencies from 1.2^b to 1.2^(b+1) ms; bin −1 counts
 * dead letters, −2 deliveries later than an event triggers a campaign, −3 what `allowRecipients` held back. Lanes are separate rows: two lanes never wait for each other's count.
 */
export const settledCounts = outbox.table(
  'settled_counts',
  {
    minute: instant('minute').notNull(),
    destination: text('destination').notNull(),
    lane: smallint('lane').notNull(),
    bin: smallint('bin').notNull(),
    count: bigint('count', { mode: 'number' }).notNull(),
  },
  (t) => [primaryKey({ name: 'settled_counts_pkey', columns: [t.minute, t.destination, t.lane, t.bin] })],
)

/**
 * One row per rate limit: the theoretical arrival time of the generic cell rate algorithm. The whole fleet
 * draws on it, by the database's clock.
 */
export const rateLimits = outbox.table('rate_limits', {
  name: text('name').primaryKey(),
  arrivesAt: instant('arrives_at').notNull(),
})

/**
 * One row: the database that the outbox belongs to. A copy has the row too, and another identity: its relays stop.
 * The name is for people; an `ALTER DATABASE … RENAME` makes no copy.
 */
export const origin = outbox.table(
  'origin',
  {
    one: boolean('one').primaryKey().default(true),
    /** Of the cluster; null where the server does not say it. */
    systemIdentifier: text('system_identifier'),
    databaseOid: bigint('database_oid', { mode: 'number' }).notNull(),
    databaseName: text('database_name').notNull(),
    recordedAt: instant('recorded_at').notNull(),
  },
  (t) => [check('origin_one', sql`${t.one}`)],
)

/**
 * Rows that a session locks to do something alone: `promote` for delayed intents that fall due, `jobs` for pg-boss.
 * Unlike an advisory lock, only a role with rights on this table can take one.
 */
export const locks = outbox.table('locks', { name: text('name').primaryKey() })

/** Workspaces that a relay has credentials for, and when a relay last said so. */
export const workspaces = outbox.table('workspaces', {
  name: text('name').primaryKey(),
  servedAt: instant('served_at').notNull(),
})

/**
 * Workspaces that intents were enqueued for, and that no relay serves: a fixed number of slots, so that a caller
 * cannot invent more. A slot without a name is free.
 */
export const unservedWorkspaces = outbox.table('unserved_workspaces', {
  slot: smallint('slot').primaryKey(),
  name: text('name'),
})
