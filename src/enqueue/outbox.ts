import { dedupKeyOf } from '../intent/keys/dedup-key.ts'
import { kindOf } from '../intent/describe.ts'
import { InvalidIntentError, InvalidOptionError } from '../intent/errors.ts'
import { checkOptionNames, failOption, shownOption } from '../intent/option-checks.ts'
import type { Intent } from '../intent/intent.ts'
import type { BatchEnqueueOptions, EnqueueOptions, ResolvedOptions } from '../intent/options.ts'
import { toPayload } from '../intent/payload.ts'
import { validateIntent } from '../intent/validate/validate-intent.ts'
import { validateOptions } from '../intent/validate/validate-options.ts'
import { type Names, namesOf } from '../store/names.ts'
import { createApiClient, type OutboxApiClient } from './clients/api-client.ts'
import type { MakeIntent, Sink } from './clients/client-types.ts'
import { createPipelinesClient, type OutboxPipelinesClient } from './clients/pipelines-client.ts'
import { createTrackClient, type OutboxTrackClient } from './clients/track-client.ts'
import type { EnqueueResult, StoredResult } from './results.ts'
import type { Executor } from './transactions/executor.ts'
import { executorFor, type Transaction } from './transactions/recognise.ts'
import { asThrown } from './transactions/run-statement.ts'
import { NotATransactionError } from './transactions/not-a-transaction-error.ts'
import { underSavepoint } from './transactions/savepoint.ts'
import { enqueueMany, enqueueOne } from './call-enqueue.ts'
import type { EnqueueArguments } from './enqueue-call.ts'
import { type Statement, statementForMany, statementForOne } from './statement.ts'
import { wireArgumentsOf } from './wire-arguments.ts'

/** Options of {@link createOutbox}. */
export interface OutboxOptions {
  /**
   * The schema given to `customerio-outbox migrate`.
   *
   * @default 'outbox'
   */
  readonly schema?: string | undefined
  /**
   * Called with every error that `onError: 'ignore'` keeps from the caller.
   *
   * @default `process.emitWarning` with the error's message, which holds no payload.
   */
  readonly onIgnored?: ((error: Error) => void) | undefined
}

/** The app's side of the outbox. It stores intents in the caller's transaction and sends nothing itself. */
export interface Outbox {
  /**
   * Stores an array of intents in the caller's transaction, in the array's order and in one round trip. The options apply to
   * each intent. All intents are checked before the first is stored.
   *
   * @param tx As for a single intent.
   * @param intents The array: one round trip stores thousands.
   * @param options See {@link BatchEnqueueOptions}.
   * @returns A result for each intent, in the order of the array.
   */
  enqueue(
    tx: Transaction,
    intents: readonly Intent[],
    options?: BatchEnqueueOptions & { readonly onError?: 'throw' | undefined },
  ): Promise<StoredResult[]>
  enqueue(tx: Transaction, intents: readonly Intent[], options: BatchEnqueueOptions): Promise<EnqueueResult[]>
  /**
   * Stores an intent in the caller's transaction, in one round trip. COMMIT makes the intent durable, and a relay sends it
   * then. ROLLBACK removes it together with its dedup key; so does ROLLBACK TO a savepoint set before the call. `enqueue`
   * sends no request, so an outage of Customer.io cannot slow down or fail the caller.
   *
   * @param tx The transaction object of your library, or a client after BEGIN: see {@link Transaction}.
   * @param intent The intent, for example from one of the `intents` builders.
   * @param options See {@link EnqueueOptions}.
   * @returns The id of the intent, and whether it is a duplicate. With `onError: 'ignore'` the error of an intent that was
   * left out.
   * @throws {InvalidIntentError} if Customer.io would not take the intent. No SQL has run, the transaction is unchanged.
   * @throws {InvalidOptionError} if an option is wrong. No SQL has run, the transaction is unchanged.
   * @throws {NotATransactionError} for a pool, a database handle, a client outside a transaction, or a failed transaction.
   * @example
   * ```ts
   * import { intents } from 'customerio-outbox'
   *
   * const placed = intents.track(user.id, 'order_placed', { total: 42 })
   * const { id, duplicate } = await outbox.enqueue(tx, placed, { dedupKey: 'order:42:placed' })
   * ```
   */
  enqueue(
    tx: Transaction,
    intent: Intent,
    options?: EnqueueOptions & { readonly onError?: 'throw' | undefined },
  ): Promise<StoredResult>
  // Last, because the compiler's error messages describe the last overload.
  enqueue(tx: Transaction, intent: Intent, options: EnqueueOptions): Promise<EnqueueResult>
  /**
   * The statement of {@link Outbox.enqueue}, for a driver that `enqueue` does not take, or to send it in one round trip with
   * other statements. Run it in the transaction of the business write: nothing checks that here. Outside a transaction,
   * Postgres commits it at once.
   *
   * The statement returns a row (`id`, `duplicate`) for each intent, in the order of the array.
   *
   * @param intent The intent, or an array of at least one.
   * @param options See {@link EnqueueOptions}. `onError` is not allowed: nothing runs here.
   * @returns The text, with the parameters $1, $2, …, and their values, each a string or null.
   * @throws {InvalidIntentError} if Customer.io would not take the intent.
   * @throws {InvalidOptionError} if an option is wrong, or the array is empty.
   * @example
   * ```ts
   * import { intents } from 'customerio-outbox'
   *
   * const { text, values } = outbox.statement(intents.track(user.id, 'order_paid'), { dedupKey: 'order:42:paid' })
   * const { rows } = await tx.query(text, values)
   * console.log(rows[0].id)
   * ```
   */
  statement(intent: Intent, options?: Omit<EnqueueOptions, 'onError'>): Statement
  statement(intent: readonly Intent[], options?: Omit<BatchEnqueueOptions, 'onError'>): Statement
  /**
   * A `TrackClient` of customerio-node that enqueues in `tx` instead of sending. An app can migrate call by call: the
   * methods and their parameters are the same. Methods that cannot be enqueued are missing.
   *
   * @param tx As for {@link Outbox.enqueue}. Every call of the client commits or rolls back with it.
   * @param options Apply to every call. A client with a `dedupKey` takes one call.
   * @returns A client for this transaction only.
   * @example
   * ```ts
   * await outbox.trackClient(tx).track(user.id, { name: 'order_placed', data: { total: 42 } })
   * ```
   */
  trackClient(tx: Transaction, options?: EnqueueOptions): OutboxTrackClient
  /**
   * An `APIClient` of customerio-node that enqueues transactional messages and broadcasts in `tx` instead of sending.
   *
   * @param tx As for {@link Outbox.enqueue}. Every call of the client commits or rolls back with it.
   * @param options Apply to every call. A client with a `dedupKey` takes one call.
   * @returns A client for this transaction only.
   * @example
   * ```ts
   * import { SendEmailRequest } from 'customerio-node'
   *
   * const message = { to: user.email, identifiers: { id: user.id }, transactional_message_id: 'order_receipt' }
   * await outbox.apiClient(tx).sendEmail(new SendEmailRequest(message))
   * ```
   */
  apiClient(tx: Transaction, options?: EnqueueOptions): OutboxApiClient
  /**
   * A `PipelinesClient` of customerio-node that enqueues in `tx` instead of sending.
   *
   * @param tx As for {@link Outbox.enqueue}. Every call of the client commits or rolls back with it.
   * @param options Apply to every call. A client with a `dedupKey` takes one call.
   * @returns A client for this transaction only.
   * @example
   * ```ts
   * await outbox.pipelinesClient(tx).track({ userId: user.id, event: 'order_placed' })
   * ```
   */
  pipelinesClient(tx: Transaction, options?: EnqueueOptions): OutboxPipelinesClient
}

function checkOptions(options: unknown): void {
  const label = 'the options of createOutbox'
  const { schema, onIgnored } = checkOptionNames(options, ['schema', 'onIgnored'], label)
  if (schema !== undefined && typeof schema !== 'string')
    failOption('schema', 'to be a string', kindOf(schema), 'schema')
  if (onIgnored !== undefined && typeof onIgnored !== 'function')
    failOption('onIgnored', 'to be a function (error) => void', kindOf(onIgnored), 'onIgnored')
}

/**
 * Creates the app's side of the outbox. It opens no connection and starts no timer. Create one outbox and share it.
 *
 * @param options See {@link OutboxOptions}.
 * @returns The outbox.
 * @throws {InvalidOptionError} if an option is unknown or has another type.
 * @throws {Error} if the name of the schema is not a plain identifier.
 * @example
 * ```ts
 * import pg from 'pg'
 * import { createOutbox, intents } from 'customerio-outbox'
 *
 * const outbox = createOutbox()
 * const client = await new pg.Pool().connect()
 * try {
 *   await client.query('BEGIN')
 *   await client.query('UPDATE orders SET paid = true WHERE id = $1', [42])
 *   await outbox.enqueue(client, intents.track('u1', 'order_paid', { order: 42 }))
 *   await client.query('COMMIT')
 * } catch (error) {
 *   await client.query('ROLLBACK')
 *   throw error
 * } finally {
 *   client.release()
 * }
 * ```
 */
export function createOutbox(options: OutboxOptions = {}): Outbox {
  checkOptions(options)
  const names = namesOf(options.schema)
  const onIgnored = options.onIgnored ?? warn

  async function enqueue(tx: Transaction, given: Intent | readonly Intent[], enqueueOptions?: unknown) {
    if (!Array.isArray(given)) return (await store(tx, [() => given as Intent], 'one', enqueueOptions))[0]
    const make = given.map((intent: Intent) => () => intent)
    return store(tx, make, 'many', enqueueOptions)
  }

  const sink = (tx: Transaction, enqueueOptions: EnqueueOptions | undefined): Sink => {
    let used = false
    return {
      async one(make) {
        // The database would drop a second call as a duplicate of the first, whatever its content.
        if (used && enqueueOptions?.dedupKey !== undefined) {
          throw new InvalidOptionError(
            'Expected a client with a dedupKey to be called once, got a second call',
            'dedupKey',
          )
        }
        used = true
        return (await store(tx, [make], 'one', enqueueOptions))[0] as EnqueueResult
      },
      many: (make) => store(tx, make, 'many', enqueueOptions),
    }
  }

  async function store(
    tx: Transaction,
    given: readonly MakeIntent[],
    of: 'one' | 'many',
    enqueueOptions: unknown,
  ): Promise<EnqueueResult[]> {
    const resolved = validateOptions(enqueueOptions, of)
    const executor = executorFor(tx)
    const ignoring = resolved.onError === 'ignore'
    const leaveOut = (error: Error) => {
      onIgnored(error)
      return given.map(() => ({ duplicate: false, error }) as const)
    }

    let rows: EnqueueArguments[]
    try {
      rows = prepare(given, of, resolved)
    } catch (error) {
      if (ignoring && error instanceof InvalidIntentError) return leaveOut(error)
      throw error
    }
    if (rows.length === 0) return []
    if (!ignoring) return insert(executor, names, rows, of)
    try {
      return await underSavepoint(executor, (inner) => insert(inner, names, rows, of))
    } catch (thrown) {
      const error = asThrown(thrown, executor)
      if (isProgrammingError(error)) throw error
      return leaveOut(error as Error)
    }
  }

  function statement(given: Intent | readonly Intent[], enqueueOptions?: unknown): Statement {
    const of = Array.isArray(given) ? 'many' : 'one'
    const resolved = validateOptions(enqueueOptions, of)
    if (resolved.onError !== 'throw') {
      failOption(
        'onError',
        'to be absent: a statement is not run here',
        shownOption(resolved.onError),
        'onError',
      )
    }
    const rows = prepare(
      [given].flat().map((intent) => () => intent),
      of,
      resolved,
    )
    const [first] = rows
    if (!first) failOption('', 'to be an intent or an array of at least one', 'an empty array', 'intents')
    return of === 'one' ? statementForOne(names, first) : statementForMany(names, rows)
  }

  return {
    enqueue: enqueue as Outbox['enqueue'],
    statement,
    trackClient: (tx, options) => createTrackClient(sink(tx, options)),
    apiClient: (tx, options) => createApiClient(sink(tx, options)),
    pipelinesClient: (tx, options) => createPipelinesClient(sink(tx, options)),
  }
}

/** Whether a failed statement is a mistake in the calling code. `onError: 'ignore'` hides errors of the database only. */
function isProgrammingError(error: unknown): boolean {
  return [NotATransactionError, TypeError, RangeError, ReferenceError].some(
    (mistake) => error instanceof mistake,
  )
}

/** Checks all intents before any SQL runs. */
function prepare(
  given: readonly MakeIntent[],
  of: 'one' | 'many',
  options: ResolvedOptions,
): EnqueueArguments[] {
  return given.map((make, index) => {
    const intent = validateIntent(make(), of === 'many' ? index : undefined)
    return {
      operation: intent.operation,
      payload: toPayload(intent),
      wire: wireArgumentsOf(intent),
      dedup_key: dedupKeyOf(options, intent, index) ?? null,
      dedup_window: interval(options.dedupWindowSeconds),
      ordering_key: options.orderingKey ?? null,
      send_after: timestamptz(options.sendAfter),
      expires_at: timestamptz(options.expiresAt),
      workspace: options.workspace,
      on_ambiguous: options.onAmbiguous,
      priority: options.priority,
    }
  })
}

/** Writes seconds as an interval of Postgres, which accepts no exponent. Its smallest interval is a microsecond. */
function interval(seconds: number): string {
  return `${Math.max(seconds, 0.000001).toFixed(6)} seconds`
}

function timestamptz(date: Date | undefined): string | null {
  return date?.toISOString() ?? null
}

async function insert(executor: Executor, names: Names, rows: EnqueueArguments[], of: 'one' | 'many') {
  const [first] = rows
  if (of === 'one' && first) return [await enqueueOne(executor, names, first)]
  return enqueueMany(executor, names, rows)
}

function warn(error: Error): void {
  process.emitWarning(`an intent was left out: ${error.message}`, 'CustomerioOutboxWarning')
}
