/**
 * For the tests of an app: what a transaction has enqueued, and a fake Customer.io.
 *
 * ```ts
 * import { startFakeCustomerIo } from 'customerio-outbox/testing'
 *
 * await using fake = await startFakeCustomerIo()
 * fake.misbehave({ kind: 'serverError', status: 502, times: 3 })
 * // … the app places an order, and its relay runs with CUSTOMERIO_TRACK_URL = fake.url …
 * await fake.until(() => fake.counts.applied === 1)
 * fake.person({ id: 'u1' })?.events[0]?.name // 'order_placed'
 * ```
 *
 * @module
 */
export { deliverInto, type DeliverOptions } from '../test-kit/deliver/deliver-into.ts'
export type { Delivery, DeliveryDeadLetter } from '../test-kit/deliver/delivery.ts'
export type { EnqueuedColumns, EnqueuedIntent, PartialIntent } from '../test-kit/enqueued/enqueued-intent.ts'
export { expectEnqueued, expectNothingEnqueued } from '../test-kit/enqueued/expect-enqueued.ts'
export { enqueued, type EnqueuedOptions } from '../test-kit/enqueued/read-enqueued.ts'
export type { DrizzleDatabaseLike, IntentSource, QueryHandleLike } from '../test-kit/enqueued/source.ts'
export { migratePglite, type MigratePgliteOptions } from '../test-kit/migrate-pglite.ts'
export type { PgliteLike } from '../test-kit/pglite.ts'
export type { FakeAudience, FakeSendKind } from './fake/model/app-request.ts'
export type { FakeBroadcast, FakeSend } from './fake/state/app-journal.ts'
export type { FakeCounts } from './fake/model/fake-counts.ts'
export type { FakeCustomerIo } from './fake/fake-customerio.ts'
export { startFakeCustomerIo } from './fake/fake-customerio.ts'
export type { FakeCredentials, FakeCustomerIoOptions } from './fake/model/fake-options.ts'
export type {
  BadRequest,
  Drip,
  FailOn,
  FakeRequest,
  Garbage,
  Hang,
  Html,
  Latency,
  Misbehaviour,
  Outage,
  RateLimit,
  Redirect,
  Refuse,
  Reset,
  ServerError,
  Unauthorized,
} from './fake/model/misbehaviour.ts'
export type { FakeObject } from './fake/state/objects-store.ts'
export type {
  AppliedOperation,
  DuplicateOperation,
  FakeApi,
  FakeOperation,
  IgnoredBecause,
  IgnoredOperation,
  Refusal,
} from './fake/model/operation.ts'
export type { OrderViolation } from './fake/state/order-check.ts'
export type { FakeDevice } from './fake/state/people-store.ts'
export type { DroppedMessage, DuplicateMessage, FakeMessage } from './fake/state/pipelines-journal.ts'
export { publishedLimits } from './fake/model/published-limits.ts'
export type { FakeLimits } from './fake/model/rate-limits.ts'
export type { FakePerson, PersonLookup } from './fake/state/recorded-state.ts'
export type { RequestLog, RequestRecord } from './fake/state/request-log.ts'
