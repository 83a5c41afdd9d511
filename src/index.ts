/**
 * customerio-outbox: a transactional outbox for Postgres apps that delivers to Customer.io.
 *
 * An intent passes through the first six folders, in this order. The other folders show, run and test the first six.
 *
 * ```
 * intent      types, limits and checks of intents; pure, no I/O
 * encryption  keys, and the envelope of an encrypted payload; pure, imports no other stage
 * enqueue     stores an intent in the caller's transaction, in one statement
 * store       the schema, and every statement of the relay, one subject per file
 * relay       dispatcher, lane workers, batches, breaker, settle
 * customerio  wire formats, HTTP transports, and the classification of answers
 * observe     health server, status views and metrics
 * operate     dead letters, bulk actions and searches, for operators
 * cli         the command line
 * testing     a fake Customer.io and a real Postgres, for tests
 * test-kit    what an app's test has enqueued, and a delivery without a relay
 * ```
 */
export type { EncryptionKey } from './encryption/encryption-key.ts'
export { EncryptionKeyError, type OutboxEncryption } from './enqueue/app-encryption.ts'
export { NotATransactionError } from './enqueue/transactions/not-a-transaction-error.ts'
export type { DrizzleTransactionLike } from './enqueue/transactions/libraries/drizzle.ts'
export type { ExecuteSqlLike } from './enqueue/transactions/libraries/execute-sql.ts'
export type { KnexTransactionLike } from './enqueue/transactions/libraries/knex.ts'
export type { KyselyTransactionLike } from './enqueue/transactions/libraries/kysely.ts'
export type { MikroOrmEntityManagerLike } from './enqueue/transactions/libraries/mikro-orm.ts'
export type { PgClientLike } from './enqueue/transactions/libraries/pg.ts'
export type { PgPromiseTransactionLike } from './enqueue/transactions/libraries/pg-promise.ts'
export type { PgliteTransactionLike } from './enqueue/transactions/libraries/pglite.ts'
export type { PostgresJsTransactionLike } from './enqueue/transactions/libraries/postgres-js.ts'
export type { PrismaTransactionLike } from './enqueue/transactions/libraries/prisma.ts'
export type { SequelizeTransactionLike } from './enqueue/transactions/libraries/sequelize.ts'
export type { SlonikTransactionLike } from './enqueue/transactions/libraries/slonik.ts'
export type { TypeOrmManagerLike, TypeOrmQueryRunnerLike } from './enqueue/transactions/libraries/typeorm.ts'
export type { Transaction } from './enqueue/transactions/recognise.ts'
export type { OutboxApiClient } from './enqueue/clients/api-client.ts'
export type { OutboxPipelinesClient } from './enqueue/clients/pipelines-client.ts'
export type { OutboxTrackClient } from './enqueue/clients/track-client.ts'
export { createOutbox, type Outbox } from './enqueue/outbox.ts'
export type { OutboxOptions } from './enqueue/outbox-options.ts'
export type { EnqueueResult, IgnoredResult, StoredResult } from './enqueue/results.ts'
export type { Statement } from './enqueue/statement.ts'
export * from './intent/builders/builders.ts'
export { InvalidIntentError, InvalidOptionError } from './intent/errors.ts'
export type * from './intent/intent.ts'
export type * from './intent/json-types.ts'
export type * from './intent/message-intents.ts'
export type { BatchEnqueueOptions, EnqueueOptions } from './intent/options.ts'
export type * from './intent/pipelines-intents.ts'
export type { UnknownEvent } from './intent/plan/check-event.ts'
export type * from './intent/plan/event-schema.ts'
export type { PlannedIntent, PlannedIntents } from './intent/plan/planned-intent.ts'
