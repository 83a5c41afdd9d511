/**
 * The tables of the outbox as Drizzle definitions. They are the source of the table migrations, and the package
 * entry `customerio-outbox/schema` for an app that wants them in its own drizzle-kit or queries.
 *
 * Functions and views are custom SQL migrations beside the generated one. Only the SQL functions and the relay write
 * these tables. An app reads the views.
 */
import { sql } from 'drizzle-orm'
import {
  bigint,
  boolean,
  check,
  date,
  index,
  integer,
  json,
  jsonb,
  pgSchema,
  primaryKey,
  smallint,
  text,
  timestamp,
  uuid,
} from 'drizzle-orm/pg-core'
import { LAST_HELD_LANE, LAST_LANE, SCHEDULED_LANE } from './lanes/lane.ts'

/**
 * The Postgres schema of the outbox, under its default name.
 *
 * @example
 * ```ts
 * export { outbox } from 'customerio-outbox/schema' // in an app's own drizzle-kit schema
 * ```
 */
export const outbox = pgSchema('outbox')

const instant = (name: string) => timestamp(name, { withTimezone: true })
/** A lane number as SQL text: DDL takes no parameters. */
const number = (lane: number) => sql.raw(String(lane))

/**
 * The queue: one row per undelivered intent. The primary key `(destination, lane, seq)` is also the reading order, so an
 * intent costs one insert, one delete and one index entry. What identifies an intent is its `id`: a server that lost
 * commits may give its `seq` to another intent.
 *
 * Lanes 0–15 carry normal intents, lanes 16–31 bulk intents. Lane −1 carries scheduled intents: their `send_after` is
 * in the future. When a scheduled intent falls due, the relay gives it its lane and a new `seq`. Lanes −2 to −33 carry the held
 * intents of the lanes 0 to 31: they wait behind a dead letter of their key, and keep their `seq`.
 *
 * @example
 * ```ts
 * const due = await db.select().from(intents).where(gte(intents.lane, 0)).limit(10)
 * ```
 */
export const intents = outbox.table(
  'intents',
  {
    destination: text('destination').notNull(),
    lane: smallint('lane').notNull(),
    seq: bigint('seq', { mode: 'bigint' }).generatedAlwaysAsIdentity().notNull(),
    id: uuid('id').notNull(),
    /** Form of `payload`: 1 or 2. A relay leaves rows of an unknown format in the queue. */
    format: smallint('format').notNull().default(1),
    operation: text('operation').notNull(),
    /** What is sent: the name of an event, page or screen, the template of a message, the id of a broadcast. Else null. */
    name: text('name'),
    /**
     * The only copy of the intent's content. In format 1 it is the payload that was given to `outbox.enqueue`. In format 2 it
     * is the operation as Customer.io takes it, with a placeholder for the event's id: `outbox.payload_of` gives its payload.
     */
    payload: json('payload').notNull(),
    orderingKey: text('ordering_key').notNull(),
    priority: text('priority').notNull().default('normal'),
    onAmbiguous: text('on_ambiguous').notNull().default('park'),
    enqueuedAt: instant('enqueued_at').notNull(),
    sendAfter: instant('send_after'),
    expiresAt: instant('expires_at'),
    /**
     * When the request began, for an intent that must not be sent twice. Null if no request for it is in flight and none
     * has an unknown outcome.
     */
    sendingAt: instant('sending_at'),
    /**
     * How often the intent failed alone while others of its destination were delivered. An outage does not raise it.
     */
    attempts: smallint('attempts').notNull().default(0),
    /** The relay sends neither the intent nor later intents of its key before this time. Set with `attempts`. */
    retryAt: instant('retry_at'),
  },
  (t) => [
    primaryKey({ name: 'intents_pkey', columns: [t.destination, t.lane, t.seq] }),
    index('intents_scheduled')
      .on(t.destination, t.sendAfter, t.seq)
      .where(sql`${t.lane} = ${number(SCHEDULED_LANE)}`),
    // The held intents of a key. Every other row only pays for the comparison.
    index('intents_held')
      .on(t.destination, t.lane, t.orderingKey, t.seq)
      .where(sql`${t.lane} < ${number(SCHEDULED_LANE)}`),
    // A row that breaks one of these would never be sent. There are no other checks, because every INSERT prepares them
    // again: three more took 16 µs of each enqueueing transaction.
    check('intents_lane', sql`${t.lane} BETWEEN ${number(LAST_HELD_LANE)} AND ${number(LAST_LANE)}`),
    check(
      'intents_scheduled_has_time',
      sql`${t.lane} <> ${number(SCHEDULED_LANE)} OR ${t.sendAfter} IS NOT NULL`,
    ),
    check('intents_destination', sql`${t.destination} ~ '^[^/]+/(track|app|broadcast|pipelines)$'`),
  ],
)

/**
 * One row per dedup key. Its primary key is the constraint that stores an intent once within the dedup window.
 *
 * @example
 * ```ts
 * const [used] = await db.select().from(dedup).where(eq(dedup.key, 'order:42'))
 * ```
 */
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
    index('dedup_intent').on(t.intentId),
  ],
)

/**
 * The intents that Customer.io accepted, without payloads, in day partitions on `delivered_at`.
 * `PARTITION BY` is added by hand to the generated migration: drizzle-kit has no form for it.
 *
 * @example
 * ```ts
 * const today = await db.select().from(delivered).where(gte(delivered.deliveredAt, midnight))
 * ```
 */
export const delivered = outbox.table(
  'delivered',
  {
    id: uuid('id').notNull(),
    destination: text('destination').notNull(),
    lane: smallint('lane').notNull(),
    seq: bigint('seq', { mode: 'bigint' }).notNull(),
    operation: text('operation').notNull(),
    /** As in `intents`. */
    name: text('name'),
    orderingKey: text('ordering_key').notNull(),
    enqueuedAt: instant('enqueued_at').notNull(),
    deliveredAt: instant('delivered_at').notNull(),
    /** `suppressed_by_config`: the workspace's `allowRecipients` prevented the request. Default: `delivered`. */
    outcome: text('outcome').notNull().default('delivered'),
    /** Customer.io's own id of a transactional message. */
    deliveryId: text('delivery_id'),
  },
  (t) => [
    check('delivered_outcome', sql`${t.outcome} IN ('delivered', 'suppressed_by_config')`),
    index('delivered_message').on(t.deliveryId).where(sql`${t.deliveryId} IS NOT NULL`),
    // BRIN indexes: a B-tree on the key took two thirds more time for each row. `summarize_delivered` brings them up to date.
    index('delivered_id').using('brin', t.id).with({ pages_per_range: 64 }),
    index('delivered_person')
      .using('brin', t.orderingKey.op('text_bloom_ops(n_distinct_per_range=4500)' as 'text_ops'))
      .with({ pages_per_range: 64 }),
  ],
)

/**
 * The payloads of delivered intents, for workspaces that keep them. Each row is in the partition of the day on which the
 * partition is dropped. `PARTITION BY` is added by hand, as for `delivered`.
 *
 * @example
 * ```ts
 * const kept = await db.select().from(archive).where(eq(archive.orderingKey, 'u1'))
 * ```
 */
export const archive = outbox.table(
  'archive',
  {
    id: uuid('id').notNull(),
    destination: text('destination').notNull(),
    seq: bigint('seq', { mode: 'bigint' }).notNull(),
    format: smallint('format').notNull(),
    operation: text('operation').notNull(),
    name: text('name'),
    payload: json('payload').notNull(),
    orderingKey: text('ordering_key').notNull(),
    onAmbiguous: text('on_ambiguous').notNull(),
    enqueuedAt: instant('enqueued_at').notNull(),
    deliveredAt: instant('delivered_at').notNull(),
    /** The day on which the row's partition is dropped, in UTC. */
    dropOn: date('drop_on').notNull(),
  },
  (t) => [
    index('archive_order').on(t.seq, t.id),
    index('archive_id').using('brin', t.id).with({ pages_per_range: 64 }),
    index('archive_person')
      .using('brin', t.orderingKey.op('text_bloom_ops(n_distinct_per_range=2000)' as 'text_ops'))
      .with({ pages_per_range: 64 }),
  ],
)

/**
 * The dead letters: intents that the relay does not deliver, each with its payload and the reason.
 *
 * @example
 * ```ts
 * const rejected = await db.select().from(deadLetters).where(eq(deadLetters.reason, 'rejected'))
 * ```
 */
export const deadLetters = outbox.table(
  'dead_letters',
  {
    id: uuid('id').notNull(),
    destination: text('destination').notNull(),
    seq: bigint('seq', { mode: 'bigint' }).notNull(),
    format: smallint('format').notNull(),
    operation: text('operation').notNull(),
    /** As in `intents`. */
    name: text('name'),
    payload: jsonb('payload').notNull(),
    orderingKey: text('ordering_key').notNull(),
    priority: text('priority').notNull(),
    onAmbiguous: text('on_ambiguous').notNull(),
    enqueuedAt: instant('enqueued_at').notNull(),
    expiresAt: instant('expires_at'),
    deadAt: instant('dead_at').notNull(),
    reason: text('reason').notNull(),
    /** HTTP status of the answer that rejected the intent. Null if there was no request. */
    status: smallint('status'),
    field: text('field'),
    message: text('message'),
    /** When the request with the unknown outcome began. Only for reason `ambiguous`. */
    requestedAt: instant('requested_at'),
    /** Whether later intents of its ordering key and lane wait until it is redriven or discarded. */
    holds: boolean('holds').notNull().default(false),
  },
  (t) => [
    primaryKey({ name: 'dead_letters_pkey', columns: [t.id] }),
    index('dead_letters_summary').on(t.destination, t.operation, t.reason, t.deadAt),
    index('dead_letters_newest').on(t.deadAt, t.destination),
    index('dead_letters_person').on(t.orderingKey),
    // The order in which an action works through dead letters.
    index('dead_letters_order').on(t.seq, t.id),
    check(
      'dead_letters_reason',
      sql`${t.reason} IN ('rejected', 'too_large', 'expired', 'invalid', 'ambiguous', 'exhausted')`,
    ),
  ],
)

/**
 * What operators did to single intents: edits, and the part that each had in an action. In day partitions on `at`, kept as long
 * as `delivered`. `PARTITION BY` is added by hand, as for `delivered`.
 *
 * @example
 * ```ts
 * const edits = await db.select().from(history).where(eq(history.event, 'edited'))
 * ```
 */
export const history = outbox.table(
  'history',
  {
    id: uuid('id').notNull(),
    at: instant('at').notNull(),
    event: text('event').notNull(),
    /** The action that did it. Null for an edit. */
    actionId: uuid('action_id'),
    /** The database user who edited. Null for an action: `actions` has its user. */
    byUser: text('by_user'),
    /** The reason, status and field of the death, or why an operator edited it. Never Customer.io's message, which may quote the payload. */
    detail: text('detail'),
    /** Only for an edit: the payload before it. */
    payload: jsonb('payload'),
  },
  (t) => [
    index('history_id').on(t.id),
    index('history_edited').on(t.at).where(sql`${t.payload} IS NOT NULL`),
    check(
      'history_event',
      sql`${t.event} IN ('edited', 'redriven', 'discarded', 'replayed', 'cancelled', 'rescheduled')`,
    ),
  ],
)

/**
 * Bulk actions of operators: what to do, to which intents, who asked for it and why, and how far it is. Relays carry them out.
 *
 * @example
 * ```ts
 * const running = await db.select().from(actions).where(eq(actions.state, 'running'))
 * ```
 */
export const actions = outbox.table(
  'actions',
  {
    actionId: uuid('action_id').primaryKey(),
    kind: text('kind').notNull(),
    /** Which intents. `erase` replaces the person's identifiers by their hashes when it is done. */
    filter: jsonb('filter').notNull(),
    options: jsonb('options').notNull(),
    plan: text('plan').notNull(),
    state: text('state').notNull().default('queued'),
    /** Intents that matched when the action was requested. */
    total: bigint('total', { mode: 'number' }).notNull(),
    processed: bigint('processed', { mode: 'number' }).notNull().default(0),
    requestedBy: text('requested_by').notNull(),
    reason: text('reason'),
    requestedAt: instant('requested_at').notNull(),
    startedAt: instant('started_at'),
    finishedAt: instant('finished_at'),
    error: text('error'),
    /** Where the next chunk begins. Its form depends on `kind`. */
    position: jsonb('position').notNull().default({}),
    /** Counts by table, as a receipt. */
    result: jsonb('result').notNull().default({}),
  },
  (t) => [
    index('actions_open').on(t.requestedAt).where(sql`${t.state} IN ('queued', 'running')`),
    check(
      'actions_kind',
      sql`${t.kind} IN ('redrive', 'discard', 'replay', 'erase', 'cancel', 'reschedule', 'backfill')`,
    ),
    check('actions_state', sql`${t.state} IN ('queued', 'running', 'done', 'cancelled', 'failed')`),
    check(
      'actions_finished',
      sql`(${t.finishedAt} IS NOT NULL) = (${t.state} IN ('done', 'cancelled', 'failed'))`,
    ),
    check('actions_error', sql`${t.error} IS NULL OR ${t.state} IN ('running', 'failed')`),
  ],
)

/**
 * The breaker of a destination, shared by the fleet. A destination has a row once it failed, was rate limited or was
 * paused.
 *
 * @example
 * ```ts
 * const open = await db.select().from(breakers).where(ne(breakers.state, 'closed'))
 * ```
 */
export const breakers = outbox.table(
  'breakers',
  {
    destination: text('destination').primaryKey(),
    state: text('state').notNull().default('closed'),
    failureCount: integer('failure_count').notNull().default(0),
    lastFailureAt: instant('last_failure_at'),
    lastError: text('last_error'),
    openedAt: instant('opened_at'),
    /** When a relay may send the next probe. Null if only an operator resumes the destination. */
    retryAt: instant('retry_at'),
    /** How often the breaker opened in a row. The half-open delay grows with it. */
    consecutiveOpens: integer('consecutive_opens').notNull().default(0),
    /** The relay that holds the probe, and the end of its lease. */
    probeRelay: uuid('probe_relay'),
    probeUntil: instant('probe_until'),
    /** After a 429 the fleet sends nothing before this time. The state does not change. */
    rateLimitedUntil: instant('rate_limited_until'),
  },
  (t) => [
    check('breakers_state', sql`${t.state} IN ('closed', 'open', 'half_open', 'paused', 'rejecting')`),
    check('breakers_open_since', sql`${t.state} = 'closed' OR ${t.openedAt} IS NOT NULL`),
    check('breakers_probe', sql`(${t.state} = 'half_open') = (${t.probeRelay} IS NOT NULL)`),
    check('breakers_probe_lease', sql`(${t.probeRelay} IS NULL) = (${t.probeUntil} IS NULL)`),
  ],
)

/**
 * Every change of a breaker's state, with its reason. Kept for 30 days.
 *
 * @example
 * ```ts
 * const latest = await db.select().from(breakerTransitions).orderBy(desc(breakerTransitions.at)).limit(20)
 * ```
 */
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

/**
 * The fence of a lane. A lane has a row once a relay worked on it. Claiming a lane raises `epoch`; settle checks it.
 *
 * @example
 * ```ts
 * const held = await db.select().from(lanes).where(isNotNull(lanes.relayId))
 * ```
 */
export const lanes = outbox.table(
  'lanes',
  {
    destination: text('destination').notNull(),
    lane: smallint('lane').notNull(),
    epoch: bigint('epoch', { mode: 'bigint' }).notNull().default(sql`1`),
    /** The relay that holds the lane, or null. */
    relayId: uuid('relay_id'),
    takenAt: instant('taken_at'),
    /** Every intent up to this `seq` is settled, and no open transaction can still commit one. */
    watermark: bigint('watermark', { mode: 'bigint' }).notNull().default(sql`0`),
    /**
     * A higher watermark. It holds while every transaction in `provisional_xids` is open: see the view
     * `lane_watermarks`.
     */
    provisionalWatermark: bigint('provisional_watermark', { mode: 'bigint' }).notNull().default(sql`0`),
    provisionalXids: bigint('provisional_xids', { mode: 'bigint' }).array().notNull().default(sql`'{}'`),
    /**
     * Above 0: dead letters that held intents of the lane are gone, and a relay has to put these intents back into the lane.
     * Raised with each such dead letter. The relay resets it, unless it has been raised meanwhile.
     */
    releaseRequests: integer('release_requests').notNull().default(0),
  },
  (t) => [
    primaryKey({ name: 'lanes_pkey', columns: [t.destination, t.lane] }),
    check('lanes_holder', sql`(${t.relayId} IS NULL) = (${t.takenAt} IS NULL)`),
    check('lanes_provisional', sql`${t.provisionalWatermark} >= ${t.watermark}`),
  ],
)

/**
 * The running relays. A relay deletes its row when it stops. Maintenance deletes the row of a relay that died, after an
 * hour.
 *
 * @example
 * ```ts
 * const fleet = await db.select().from(relays)
 * ```
 */
export const relays = outbox.table('relays', {
  relayId: uuid('relay_id').primaryKey(),
  host: text('host').notNull(),
  pid: integer('pid').notNull(),
  version: text('version').notNull(),
  startedAt: instant('started_at').notNull(),
  lastSeenAt: instant('last_seen_at').notNull(),
  /** Since when every poll of the relay fails. Null while polls succeed. */
  pollsFailingSince: instant('polls_failing_since'),
  /** Why the last poll failed. At most 200 characters. */
  pollError: text('poll_error'),
  /** The highest `intents.format` that the relay knows. It leaves rows of a later format in the queue. */
  format: smallint('format').notNull().default(1),
  /** The highest schema version that the relay knows. `migrations.oldest_relay` may exceed it after a `migrate`. */
  schemaVersion: integer('schema_version'),
  /** The ids of the keys that decrypt payloads. Null: a function finds keys, and may find any. */
  encryptionKeys: text('encryption_keys').array(),
})

/**
 * Settled intents, counted per minute and bin of latency (enqueue to delivery). The view `throughput` reads thousands
 * of these rows instead of millions of deliveries. Each lane has its own rows, so two lanes never wait for each
 * other's count. Kept for a day.
 *
 * Bin b ≥ 0 counts latencies from 1.2^b to 1.2^(b+1) ms. Three bins count something else:
 *
 * - −1: dead letters
 * - −2: deliveries after the 72 h in which an event triggers a campaign
 * - −3: intents that `allowRecipients` suppressed
 *
 * @example
 * ```ts
 * const dead = await db.select().from(settledCounts).where(eq(settledCounts.bin, -1))
 * ```
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
 * One row per rate limit: the theoretical arrival time of the generic cell rate algorithm. The whole fleet draws
 * tokens from it, by the database's clock.
 *
 * @example
 * ```ts
 * const limits = await db.select().from(rateLimits)
 * ```
 */
export const rateLimits = outbox.table('rate_limits', {
  name: text('name').primaryKey(),
  arrivesAt: instant('arrives_at').notNull(),
})

/**
 * One row: the database that the outbox belongs to. A copy of the database has the same row and another identity, so
 * its relays stop. The name is only for display: `ALTER DATABASE … RENAME` makes no copy.
 *
 * @example
 * ```ts
 * const [belongsTo] = await db.select().from(origin)
 * ```
 */
export const origin = outbox.table(
  'origin',
  {
    one: boolean('one').primaryKey().default(true),
    /** The cluster's identifier. Null if the server does not reveal it. */
    systemIdentifier: text('system_identifier'),
    databaseOid: bigint('database_oid', { mode: 'number' }).notNull(),
    databaseName: text('database_name').notNull(),
    recordedAt: instant('recorded_at').notNull(),
  },
  (t) => [check('origin_one', sql`${t.one}`)],
)

/**
 * Rows that a session locks to work alone: `promote` for scheduled intents that fall due, `jobs` for pg-boss. Only a
 * role with rights on this table can take such a lock, while any database user can take an advisory lock.
 *
 * @example
 * ```ts
 * const names = await db.select().from(locks)
 * ```
 */
export const locks = outbox.table('locks', { name: text('name').primaryKey() })

/**
 * Workspaces that a relay has credentials for, and when a relay last registered them.
 *
 * @example
 * ```ts
 * const served = await db.select().from(workspaces)
 * ```
 */
export const workspaces = outbox.table('workspaces', {
  name: text('name').primaryKey(),
  servedAt: instant('served_at').notNull(),
})

/**
 * Workspaces that have intents and no relay that serves them. There are 100 slots, so a caller cannot create more
 * names. A slot without a name is free.
 *
 * @example
 * ```ts
 * const unserved = await db.select().from(unservedWorkspaces).where(isNotNull(unservedWorkspaces.name))
 * ```
 */
export const unservedWorkspaces = outbox.table('unserved_workspaces', {
  slot: smallint('slot').primaryKey(),
  name: text('name'),
})

/**
 * The tracking plan that SQL callers are held to: the names of events, and the fields that their data must have. Empty
 * without a plan. `migrate` installs it.
 *
 * @example
 * ```ts
 * const planned = await db.select().from(eventPlan).orderBy(asc(eventPlan.name))
 * ```
 */
export const eventPlan = outbox.table('event_plan', {
  name: text('name').primaryKey(),
  required: text('required').array().notNull(),
})
