import { ActiveMisbehaviours, checkMilliseconds } from './model/active-misbehaviours.ts'
import type { FakeBroadcast, FakeSend } from './state/app-journal.ts'
import type { FakeCounts } from './model/fake-counts.ts'
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
  findPerson,
  type PersonLookup,
  type RecordedState,
} from './state/recorded-state.ts'
import type { RequestLog } from './state/request-log.ts'
import { endExchange, serveRequest, takesEffect } from './serve/serve-request.ts'
import { Waiters } from './http/waiters.ts'

/**
 * A fake Customer.io that runs inside the test process.
 *
 * One origin serves the Track API (v1 and v2), the sending part of the App API, and the Pipelines API. The fake checks
 * each request against the published shapes and limits and applies it as documented. It records everything in order,
 * and misbehaves on request.
 *
 * If Customer.io's description of the Track API leaves a case open, the fake decides as follows:
 *
 * - Every operation takes effect at once, in the order of arrival.
 * - Events are deduplicated by ULID without a time limit, until `reset()`.
 * - A body over its limit is answered 413.
 * - v2 accepts `anonymous_id` as the identifier of an event, and a whole number as an `id`.
 * - An attribute of a device may be any JSON value.
 * - A merge moves attributes and events, but not devices.
 * - An operation about a suppressed person does not use up its ULID.
 *
 * The App API has no idempotency. Each accepted request is one more send, even if its answer was lost. Every template
 * and every broadcast exists. The fake does not check that the recipients exist, and a send creates no person: `person`
 * shows what the Track API applied. Wrong data of a trigger is answered 422, any other wrong body 400. Attachments are
 * measured as base64.
 *
 * The Pipelines API deduplicates by message id without a time limit, across all people. A message that was refused or
 * dropped does not use up its id. In strict mode one wrong message refuses its whole batch. An id may be a whole number. A group
 * needs its `groupId`. Semantic events (`User Deleted`) have no special effect.
 *
 * {@link startFakeCustomerIo} creates it.
 *
 * @example
 * ```ts
 * import { equal } from 'node:assert/strict'
 * import { type FakeCustomerIo, startFakeCustomerIo } from 'customerio-outbox/testing'
 *
 * async function expectOneOrder(fake: FakeCustomerIo): Promise<void> {
 *   await fake.until(() => fake.counts.applied === 1)
 *   equal(fake.applied[0]?.name, 'order_placed')
 * }
 *
 * await using fake = await startFakeCustomerIo()
 * await expectOneOrder(fake)
 * ```
 */
export class FakeCustomerIo implements AsyncDisposable {
  /** The origin of all three APIs: `http://127.0.0.1:PORT`. */
  readonly url: string
  /** The credentials that the fake accepts. Assign other ones to rotate the keys. Default: those of the options. */
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

  /**
   * The delay of every answer. Operations take effect on arrival. Milliseconds, at least 0.
   *
   * @default 0
   * @throws TypeError if the assigned value is not a finite number of at least 0.
   */
  get latencyMs(): number {
    return this.#latencyMs
  }

  set latencyMs(ms: number) {
    checkMilliseconds('latencyMs', ms)
    this.#latencyMs = ms
  }

  /**
   * The rates that the App API enforces. Assign other ones to change them.
   *
   * @default {} (no limit)
   * @throws TypeError if an assigned rate is out of its range.
   */
  get limits(): FakeLimits {
    return this.#limits
  }

  set limits(limits: FakeLimits) {
    checkLimits(limits)
    this.#limits = limits
  }

  /** The requests received: a total, the answers by status, and the newest requests. */
  get requests(): RequestLog {
    return this.#state.requests
  }

  /** Every operation of the Track API that took effect, in order. A live array. Empty with `keepOperations: false`. */
  get applied(): readonly AppliedOperation[] {
    return this.#state.journal.applied
  }

  /** Events of the Track API dropped because of a repeated ULID. Empty with `keepOperations: false`. */
  get duplicates(): readonly DuplicateOperation[] {
    return this.#state.journal.duplicates
  }

  /** Operations answered 200 that had no effect, with the reason. Empty with `keepOperations: false`. */
  get ignored(): readonly IgnoredOperation[] {
    return this.#state.journal.ignored
  }

  /** The first 1,000 violations of the order within one person. Empty without `sequenceOf`. */
  get outOfOrder(): readonly OrderViolation[] {
    return this.#state.order.violations
  }

  /** Every transactional message that was accepted, in order. Empty with `keepOperations: false`. */
  get sends(): readonly FakeSend[] {
    return this.#state.app.sends
  }

  /** Every broadcast trigger that was accepted, in order. Empty with `keepOperations: false`. */
  get broadcasts(): readonly FakeBroadcast[] {
    return this.#state.app.broadcasts
  }

  /** Every message of the Pipelines API that took effect, in order. Empty with `keepOperations: false`. */
  get pipelines(): readonly FakeMessage[] {
    return this.#state.pipelines.applied
  }

  /** Pipelines messages dropped because of a repeated `messageId`. Empty with `keepOperations: false`. */
  get pipelinesDuplicates(): readonly DuplicateMessage[] {
    return this.#state.pipelines.duplicates
  }

  /** Pipelines messages answered 200 and lost, which strict mode would have refused. Empty with `keepOperations: false`. */
  get pipelinesDropped(): readonly DroppedMessage[] {
    return this.#state.pipelines.dropped
  }

  /** Totals since start or `reset()`. Complete even with `keepOperations: false`. */
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

  /**
   * Looks up one person, living or deleted.
   *
   * @param identifiers Exactly one identifier of the person.
   * @returns A copy of the person's present state, or undefined if no operation was applied to that identifier.
   *
   * @example
   * ```ts
   * import { equal } from 'node:assert/strict'
   * import { startFakeCustomerIo } from 'customerio-outbox/testing'
   *
   * await using fake = await startFakeCustomerIo()
   * const person = fake.person({ id: 'u1' })
   * equal(person?.events[0]?.name, 'order_placed')
   * equal(person?.attributes.plan, 'premium')
   * ```
   */
  person(identifiers: PersonLookup): FakePerson | undefined {
    return findPerson(this.#state.people, identifiers)
  }

  /**
   * Looks up one custom object, living or deleted.
   *
   * @param identifiers The number of the object's type, as a string, and the object's id.
   * @returns A copy of the object's present state. Undefined if no operation was applied to it, and with
   *   `keepOperations: false`.
   *
   * @example
   * ```ts
   * import { equal } from 'node:assert/strict'
   * import { startFakeCustomerIo } from 'customerio-outbox/testing'
   *
   * await using fake = await startFakeCustomerIo()
   * equal(fake.object({ object_type_id: '1', object_id: 'acme' })?.attributes.plan, 'premium')
   * ```
   */
  object(identifiers: { object_type_id: string; object_id: string }): FakeObject | undefined {
    return this.#state.objects.object(objectKeyOf(identifiers))
  }

  /**
   * Lists the push metrics that were reported for one delivery.
   *
   * @param id The delivery's id.
   * @returns The metrics in order of application. Empty for an unknown id, and with `keepOperations: false`.
   *
   * @example
   * ```ts
   * import { deepEqual } from 'node:assert/strict'
   * import { startFakeCustomerIo } from 'customerio-outbox/testing'
   *
   * await using fake = await startFakeCustomerIo()
   * deepEqual(fake.delivery('RPILAgUBcRhIBqSfeiIwdIYJKxTY').map(({ name }) => name), ['delivered', 'opened'])
   * ```
   */
  delivery(id: string): readonly AppliedOperation[] {
    return this.#state.objects.delivery(id)
  }

  /**
   * Starts a misbehaviour. It lasts for `times` requests, until the returned function is called, or until `behave()`,
   * `reset()` or `close()`, whichever comes first.
   *
   * @param misbehaviour The kind, and which requests it affects.
   * @returns A function that ends this misbehaviour. A second call does nothing.
   * @throws TypeError if `times`, `ms`, `everyMs` or the `status` of `serverError` and `failOn` is out of its range.
   *
   * @example
   * ```ts
   * import { startFakeCustomerIo } from 'customerio-outbox/testing'
   *
   * await using fake = await startFakeCustomerIo()
   * fake.misbehave({ kind: 'serverError', status: 502, times: 3 })
   * const endOutage = fake.misbehave({ kind: 'outage', match: ({ api }) => api === 'app' })
   * endOutage()
   * ```
   */
  misbehave(misbehaviour: Misbehaviour): () => void {
    return this.#misbehaviours.add(misbehaviour)
  }

  /**
   * Ends every misbehaviour. Requests in flight keep theirs. `latencyMs` stays.
   *
   * @example
   * ```ts
   * import { startFakeCustomerIo } from 'customerio-outbox/testing'
   *
   * await using fake = await startFakeCustomerIo()
   * fake.misbehave({ kind: 'outage' })
   * fake.behave()
   * ```
   */
  behave(): void {
    this.#misbehaviours.clear()
  }

  /**
   * Waits for a condition. The fake evaluates it at once and after every request, so no test needs a sleep.
   *
   * @param reached The condition. It receives the fake.
   * @param options.timeoutMs How long to wait. Milliseconds. Default: 10,000.
   * @returns A promise that resolves as soon as `reached` returns true.
   * @throws Error if the condition does not hold within `timeoutMs` (10 s by default); its message has the counts.
   *   Also if the fake is closed meanwhile, and if `reached` throws, with that error.
   *
   * @example
   * ```ts
   * import { startFakeCustomerIo } from 'customerio-outbox/testing'
   *
   * await using fake = await startFakeCustomerIo()
   * await fake.until(() => fake.counts.applied === 1)
   * await fake.until(() => fake.counts.applied === 1_000, { timeoutMs: 60_000 })
   * ```
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

  /**
   * Clears everything received and applied, and ends every misbehaviour. `credentials`, `limits` and `latencyMs` stay.
   *
   * @example
   * ```ts
   * import { beforeEach } from 'node:test'
   * import { startFakeCustomerIo } from 'customerio-outbox/testing'
   *
   * const fake = await startFakeCustomerIo()
   * beforeEach(() => fake.reset())
   * ```
   */
  reset(): void {
    this.#misbehaviours.clear()
    this.#state = emptyState(this.#options)
  }

  /**
   * Stops listening and destroys every connection at once, including requests that wait for an answer.
   * Pending `until` promises reject. A second call does nothing.
   *
   * @returns A promise that resolves when the port is free.
   *
   * @example
   * ```ts
   * import { after } from 'node:test'
   * import { startFakeCustomerIo } from 'customerio-outbox/testing'
   *
   * const fake = await startFakeCustomerIo()
   * after(() => fake.close())
   * ```
   */
  async close(): Promise<void> {
    this.#waiters.close()
    await this.#server.close()
  }

  /** Calls `close()`: `await using fake = await startFakeCustomerIo()`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** @internal Serves one request. If a predicate of the test throws, the answer is 500 with the error's text. */
  handle(exchange: Exchange): void {
    try {
      this.#serve(exchange)
    } catch (error) {
      exchange.send({ status: 500, body: `A predicate threw: ${error}`, contentType: 'text/plain' })
    }
    this.#waiters.check()
  }

  /** Parses the request, selects its misbehaviours, applies it, and answers. */
  #serve(exchange: Exchange): void {
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
 * Starts a fake Customer.io in this process.
 *
 * @param options Port, credentials, limits, latency, and what the fake records. Default: a free port of `127.0.0.1`,
 *   any credentials, no limits, no latency, everything recorded.
 * @returns The fake, which listens already. Point the relay at `fake.url`: by `trackUrl`, `appUrl` and `pipelinesUrl`, or
 *   by `CUSTOMERIO_TRACK_URL`, `CUSTOMERIO_APP_URL` and `CUSTOMERIO_PIPELINES_URL`.
 * @throws TypeError if an option is out of its range. Error with `code: 'EADDRINUSE'` if the port is in use.
 *
 * @example
 * ```ts
 * import { equal } from 'node:assert/strict'
 * import { startFakeCustomerIo } from 'customerio-outbox/testing'
 *
 * await using fake = await startFakeCustomerIo({ siteId: 'site', trackApiKey: 'key' })
 * fake.misbehave({ kind: 'outage', times: 5 })
 * // The app places an order; its relay runs with CUSTOMERIO_TRACK_URL=fake.url.
 * await fake.until(() => fake.counts.applied === 1)
 * equal(fake.person({ id: 'u1' })?.events[0]?.name, 'order_placed')
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
