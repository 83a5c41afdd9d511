import { ActiveMisbehaviours, checkMilliseconds } from './active-misbehaviours.ts'
import { unauthorized } from './answers.ts'
import {
  checkOptions,
  type FakeCredentials,
  type FakeCustomerIoOptions,
  isAuthorized,
} from './fake-options.ts'
import { type Exchange, type HttpServer, listen } from './http-server.ts'
import type { OrderViolation } from './journal.ts'
import type { Misbehaviour } from './misbehaviour.ts'
import { type FakeObject, objectKeyOf } from './objects-store.ts'
import {
  type AppliedOperation,
  type DuplicateOperation,
  type IgnoredOperation,
  isRecord,
} from './operation.ts'
import { parseRequest } from './parse-request.ts'
import {
  emptyState,
  type FakePerson,
  lookAtPerson,
  type PersonLookup,
  type RecordedState,
} from './recorded-state.ts'
import type { RequestLog } from './request-log.ts'
import { endExchange, serveRequest, takesEffect } from './serve-request.ts'
import { Waiters } from './waiters.ts'

/** Totals since start or `reset()`. */
export interface FakeCounts {
  readonly requests: number
  /** Operations received, whatever became of them. */
  readonly operations: number
  /** Operations that took effect. */
  readonly applied: number
  /** Events dropped because their ULID had been seen. */
  readonly duplicates: number
  /** Operations answered 200 that had no effect. */
  readonly ignored: number
  /** Operations refused by a check or by a `refuse` misbehaviour. */
  readonly refused: number
  /** Operations applied after one of a higher sequence; 0 without `sequenceOf`. */
  readonly outOfOrder: number
}

/**
 * A Customer.io Track API (v1 and v2) in the process of a test: it checks what it gets against the published shapes and
 * limits, applies it as documented, remembers it in order, and misbehaves on request.
 *
 * Where Customer.io's description is silent, the fake decides as follows. Everything takes effect at once and in the order
 * of arrival. ULIDs are remembered for ever. A body over its limit is answered 413. v2 takes `anonymous_id` as the identifier
 * of an event, and a whole number for an `id`. An attribute of a device may be any JSON value. A merge moves attributes and
 * events, not devices. An operation about a suppressed person does not use up its ULID.
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
  #state: RecordedState

  /** @internal */
  constructor(options: FakeCustomerIoOptions, host: string, server: HttpServer) {
    this.#options = options
    this.#server = server
    this.#latencyMs = options.latencyMs ?? 0
    this.#state = emptyState(options)
    this.credentials = { siteId: options.siteId, apiKey: options.trackApiKey }
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

  /** The requests received. */
  get requests(): RequestLog {
    return this.#state.requests
  }

  /** Every operation that took effect, in order. Grows while requests come in; empty with `keepOperations: false`. */
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
    return this.#state.journal.outOfOrder
  }

  get counts(): FakeCounts {
    const { counts, journal, requests } = this.#state
    return { requests: requests.total, ...counts, ...journal.counts }
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

  /** Forgets everything received and applied, and ends every misbehaviour. Credentials and `latencyMs` stay. */
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
    const operations = parsed.kind === 'operations' ? parsed.operations : []
    const verdict = this.#misbehaviours.judge({ method, path, operations: operations.filter(isRecord) })
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
    const arrival = { requestOrdinal: record.ordinal, receivedAt }
    const regular = takesEffect(deciding)
      ? isAuthorized(exchange.authorization, this.credentials)
        ? serveRequest(state, parsed, refuse, arrival, this.#options.region ?? 'us')
        : unauthorized
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
 * // … point the relay at it: CUSTOMERIO_TRACK_URL=fake.url
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
