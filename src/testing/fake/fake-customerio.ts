import { ActiveMisbehaviours, checkMilliseconds } from './model/active-misbehaviours.ts'
import type { FakeBroadcast, FakeSend } from './state/app-journal.ts'
import {
  checkOptions,
  type FakeCredentials,
  type FakeCustomerIoOptions,
  isAuthorized,
} from './model/fake-options.ts'
import { type Exchange, type HttpServer, listen } from './http/http-server.ts'
import type { Misbehaviour } from './model/misbehaviour.ts'
import { type FakeObject, objectKeyOf } from './state/objects-store.ts'
import {
  type AppliedOperation,
  type DuplicateOperation,
  type IgnoredOperation,
  isRecord,
} from './model/operation.ts'
import type { OrderViolation } from './state/order-check.ts'
import { apiOf, parseRequest } from './routes/parse-request.ts'
import type { DroppedMessage, DuplicateMessage, FakeMessage } from './state/pipelines-journal.ts'
import { checkLimits, type FakeLimits } from './model/rate-limits.ts'
import {
  emptyState,
  type FakePerson,
  lookAtPerson,
  type PersonLookup,
  type RecordedState,
} from './state/recorded-state.ts'
import type { RequestLog } from './state/request-log.ts'
import { endExchange, serveRequest, takesEffect } from './serve/serve-request.ts'
import { Waiters } from './http/waiters.ts'

/** Totals since start or `reset()`. */
export interface FakeCounts {
  readonly requests: number
  /** Operations received by any API, whatever became of them; a send, a trigger and a message are one each. */
  readonly operations: number
  /** Operations of the Track API that took effect. */
  readonly applied: number
  /** Events dropped because their ULID had been seen, and Pipelines messages because their `messageId` had. */
  readonly duplicates: number
  /** Operations of the Track API answered 200 that had no effect. */
  readonly ignored: number
  /** Operations refused by a check or by a `refuse` misbehaviour, on any API. */
  readonly refused: number
  /** Operations and Pipelines messages applied after one of a higher sequence; 0 without `sequenceOf`. */
  readonly outOfOrder: number
  /** Transactional messages accepted. */
  readonly sends: number
  /** Triggers of broadcasts accepted. */
  readonly broadcasts: number
  /** Messages of the Pipelines API that took effect. */
  readonly pipelines: number
  /** Messages of the Pipelines API answered 200 and lost. */
  readonly dropped: number
}

/**
 * A Customer.io in the process of a test, its Track API (v1 and v2), the sending part of its App API and its Pipelines API
 * on one origin: it checks what it gets against the published shapes and limits, applies it as documented, remembers it in
 * order, and misbehaves on request.
 *
 * On the Track API, where Customer.io's description is silent, the fake decides as follows. Everything takes effect at once
 * and in the order of arrival. ULIDs are remembered for ever. A body over its limit is answered 413. v2 takes `anonymous_id`
 * as the identifier of an event, and a whole number for an `id`. An attribute of a device may be any JSON value. A merge moves
 * attributes and events, not devices. An operation about a suppressed person does not use up its ULID.
 *
 * The App API has no idempotency: every request accepted is one more send, also one whose answer was lost. Every template and
 * every broadcast exists. It is not asked whether the people do, and a send creates nobody: `person` shows what the Track API
 * applied. Wrong data of a trigger is answered 422, any other wrong body 400. Attachments are measured as base64.
 *
 * The Pipelines API remembers message ids for ever, whoever sent them; a message that was refused or dropped does not use up
 * its own. In strict mode one wrong message refuses its whole batch. An id may be a whole number; a group needs its
 * `groupId`. Semantic events (`User Deleted`) are events like any other.
 *
 * Made by {@link startFakeCustomerIo}.
 */
export class FakeCustomerIo implements AsyncDisposable {
  /** The origin: `http://127.0.0.1:PORT`. */
  readonly url: string
  /** The credentials that callers must give from now on. Set it to rotate the keys. */
  credentials: FakeCredentials
  readonly #options: FakeCustomerIoOptions
  readonly #server: HttpServer
  readonly #misbehaviours = new ActiveMisbehaviours()
  readonly #waiters = new Waiters()
  #latencyMs: number
  #limits: FakeLimits
  #state: RecordedState

  /** @internal */
  constructor(options: FakeCustomerIoOptions, host: string, server: HttpServer) {
    this.#options = options
    this.#server = server
    this.#latencyMs = options.latencyMs ?? 0
    this.#state = emptyState(options)
    const { siteId, trackApiKey: apiKey, appApiKey, pipelinesWriteKey } = options
    this.credentials = { siteId, apiKey, appApiKey, pipelinesWriteKey }
    this.#limits = options.limits ?? {}
    this.url = `http://${host.includes(':') ? `[${host}]` : host}:${server.port}`
  }

  /** How long every answer is held back, in milliseconds. Operations take effect on arrival. */
  get latencyMs(): number {
    return this.#latencyMs
  }

  set latencyMs(ms: number) {
    checkMilliseconds('latencyMs', ms)
    this.#latencyMs = ms
  }

  /** The rates that the App API enforces from now on. */
  get limits(): FakeLimits {
    return this.#limits
  }

  set limits(limits: FakeLimits) {
    checkLimits(limits)
    this.#limits = limits
  }

  /** The requests received. */
  get requests(): RequestLog {
    return this.#state.requests
  }

  /** Every operation of the Track API that took effect, in order. Grows while requests come in; empty with `keepOperations: false`. */
  get applied(): readonly AppliedOperation[] {
    return this.#state.journal.applied
  }

  /** Events dropped because their ULID had been seen; empty with `keepOperations: false`. */
  get duplicates(): readonly DuplicateOperation[] {
    return this.#state.journal.duplicates
  }

  /** Operations answered 200 that had no effect, and why; empty with `keepOperations: false`. */
  get ignored(): readonly IgnoredOperation[] {
    return this.#state.journal.ignored
  }

  /** With `sequenceOf`: first deliveries that came after a later one of their person; the first 1,000. */
  get outOfOrder(): readonly OrderViolation[] {
    return this.#state.order.violations
  }

  /** Every transactional message that was accepted, in order; empty with `keepOperations: false`. */
  get sends(): readonly FakeSend[] {
    return this.#state.app.sends
  }

  /** Every trigger of a broadcast that was accepted, in order; empty with `keepOperations: false`. */
  get broadcasts(): readonly FakeBroadcast[] {
    return this.#state.app.broadcasts
  }

  /** Every message of the Pipelines API that took effect, in order; empty with `keepOperations: false`. */
  get pipelines(): readonly FakeMessage[] {
    return this.#state.pipelines.applied
  }

  /** Pipelines messages dropped because their `messageId` had been seen; empty with `keepOperations: false`. */
  get pipelinesDuplicates(): readonly DuplicateMessage[] {
    return this.#state.pipelines.duplicates
  }

  /** Pipelines messages answered 200 and lost, for want of strict mode; empty with `keepOperations: false`. */
  get pipelinesDropped(): readonly DroppedMessage[] {
    return this.#state.pipelines.dropped
  }

  get counts(): FakeCounts {
    const { counts, journal, order, app, pipelines, requests } = this.#state
    return {
      requests: requests.total,
      ...counts,
      ...journal.counts,
      duplicates: journal.counts.duplicates + pipelines.counts.duplicates,
      outOfOrder: order.count,
      ...app.counts,
      pipelines: pipelines.counts.applied,
      dropped: pipelines.counts.dropped,
    }
  }

  /** The person with that identifier as they are now, or as they were deleted; undefined for one never heard of. */
  person(identifiers: PersonLookup): FakePerson | undefined {
    return lookAtPerson(this.#state.people, identifiers)
  }

  /** The custom object with those identifiers; undefined for one never heard of, and with `keepOperations: false`. */
  object(identifiers: { object_type_id: string; object_id: string }): FakeObject | undefined {
    return this.#state.objects.object(objectKeyOf(identifiers))
  }

  /** The metrics reported of a delivery, in order. */
  delivery(id: string): readonly AppliedOperation[] {
    return this.#state.objects.delivery(id)
  }

  /** Begins to misbehave as described; the function returned ends it. */
  misbehave(misbehaviour: Misbehaviour): () => void {
    return this.#misbehaviours.add(misbehaviour)
  }

  /** Ends every misbehaviour. Requests under way keep theirs; `latencyMs` stays. */
  behave(): void {
    this.#misbehaviours.clear()
  }

  /**
   * Resolves once `reached` says so, which is asked at once and after every request that was decided.
   * Rejects after `timeoutMs` milliseconds (default 10,000), and when the fake is closed.
   */
  until(
    reached: (fake: this) => boolean,
    { timeoutMs = 10_000 }: { timeoutMs?: number } = {},
  ): Promise<void> {
    return this.#waiters.wait(
      () => reached(this),
      timeoutMs,
      () => JSON.stringify(this.counts),
    )
  }

  /** Forgets everything received and applied, and ends every misbehaviour. Credentials, `limits` and `latencyMs` stay. */
  reset(): void {
    this.#misbehaviours.clear()
    this.#state = emptyState(this.#options)
  }

  /** Stops listening and ends every connection at once, hanging ones too. */
  async close(): Promise<void> {
    this.#waiters.close()
    await this.#server.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** @internal One request. A predicate of the test that throws is answered 500, with what it threw. */
  handle(exchange: Exchange): void {
    try {
      this.#exchange(exchange)
    } catch (error) {
      exchange.send({ status: 500, body: `A predicate threw: ${error}`, contentType: 'text/plain' })
    }
    this.#waiters.check()
  }

  /** Parse, judge, serve, end. */
  #exchange(exchange: Exchange): void {
    const state = this.#state
    const { method, path, bytes } = exchange.request
    const receivedAt = Date.now()
    const parsed = parseRequest(exchange.request)
    const api = apiOf(path)
    const operations = 'operations' in parsed ? parsed.operations : []
    const verdict = this.#misbehaviours.judge({ method, path, api, operations: operations.filter(isRecord) })
    const { deciding, latencyMs, refuse } = verdict
    state.counts.operations += operations.length
    const record = state.requests.receive({
      method,
      path,
      operations: operations.length,
      bytes,
      receivedAt,
      misbehaviour: deciding?.kind,
    })
    const regular = takesEffect(deciding)
      ? serveRequest(state, parsed, {
          authorized: isAuthorized(api, exchange.authorization, this.credentials),
          refuse,
          arrival: { requestOrdinal: record.ordinal, receivedAt },
          limits: this.#limits,
          region: this.#options.region ?? 'us',
        })
      : undefined
    exchange.after(this.#latencyMs + latencyMs, () => {
      const status = endExchange(exchange, deciding, parsed, regular)
      if (status !== undefined) state.requests.answer(record, status)
    })
  }
}

/**
 * Starts a fake Customer.io on a port of its own.
 *
 * ```ts
 * await using fake = await startFakeCustomerIo()
 * // … point the relay at it: CUSTOMERIO_TRACK_URL, CUSTOMERIO_APP_URL and CUSTOMERIO_PIPELINES_URL = fake.url
 * await fake.until(() => fake.person({ id: 'u1' })?.events.length === 1)
 * fake.misbehave({ kind: 'outage', times: 5 })
 * ```
 */
export async function startFakeCustomerIo(options: FakeCustomerIoOptions = {}): Promise<FakeCustomerIo> {
  checkOptions(options)
  const { port = 0, host = '127.0.0.1' } = options
  let fake: FakeCustomerIo | undefined
  const server = await listen(port, host, (exchange) => fake?.handle(exchange))
  fake = new FakeCustomerIo(options, host, server)
  return fake
}
