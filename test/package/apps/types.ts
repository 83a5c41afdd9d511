/** Uses every entry point. Each way of resolving modules must find the types, and none may be `any`. */
import { createOutbox, InvalidIntentError, type Intent, intents, type Outbox } from 'customerio-outbox'
import {
  createRelay,
  type DrainOptions,
  type DrainResult,
  drain,
  migrate,
  type MigrateResult,
  type Relay,
  type RelayOptions,
} from 'customerio-outbox/relay'
import { outbox as schema } from 'customerio-outbox/schema'
import { type FakeCustomerIo, startFakeCustomerIo } from 'customerio-outbox/testing'

type IsAny<T> = 0 extends 1 & T ? true : false
type Known<T> = IsAny<T> extends true ? never : T

export const outbox: Known<Outbox> = createOutbox()
export const intent: Known<Intent> = intents.track('u1', 'order_placed', { total: 42 })
export const name: 'outbox' = schema.schemaName
export const error: Known<InvalidIntentError> = new InvalidIntentError('', { operation: '', field: '' })
export const relay = (options: Known<RelayOptions>): Known<Relay> => createRelay(options)
export const drained = (options: Known<DrainOptions>): Promise<Known<DrainResult>> => drain(options)
export const migrated = (connectionString: string): Promise<Known<MigrateResult>> =>
  migrate({ connectionString })
export const fake = (): Promise<Known<FakeCustomerIo>> => startFakeCustomerIo()

// @ts-expect-error: `track` needs a name
export const wrong: Intent = { operation: 'track', customerId: 'u1' }
