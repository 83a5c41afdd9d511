import { InvalidIntentError, InvalidOptionError } from '../intent/errors.ts'
import { failOption, shownOption } from '../intent/option-checks.ts'
import type { Intent } from '../intent/intent.ts'
import type { BatchEnqueueOptions, EnqueueOptions } from '../intent/options.ts'
import type { EventPlan } from '../intent/plan/event-schema.ts'
import type { PlannedIntent, PlannedIntents } from '../intent/plan/planned-intent.ts'
import { validateOptions } from '../intent/validate/validate-options.ts'
import { namesOf } from '../store/names.ts'
import { createApiClient, type OutboxApiClient } from './clients/api-client.ts'
import type { MakeIntent, Sink } from './clients/client-types.ts'
import { createPipelinesClient, type OutboxPipelinesClient } from './clients/pipelines-client.ts'
import { createTrackClient, type OutboxTrackClient } from './clients/track-client.ts'
import { EncryptionKeyError } from './app-encryption.ts'
import { checkEvents } from './check-events.ts'
import { type OutboxOptions, report, resolveOutboxOptions } from './outbox-options.ts'
import { prepareRows } from './prepare-rows.ts'
import type { EnqueueResult, StoredResult } from './results.ts'
import { inTurn } from './transactions/in-turn.ts'
import { executorFor, type Transaction } from './transactions/recognise.ts'
import { asThrown } from './transactions/run-statement.ts'
import { NotATransactionError } from './transactions/not-a-transaction-error.ts'
import { underSavepoint } from './transactions/savepoint.ts'
import { prepareCall } from './call-enqueue.ts'
import type { EnqueueArguments } from './enqueue-call.ts'
import { type Statement, statementForMany, statementForOne } from './statement.ts'

/**
 * The app's side of the outbox. It stores intents in the caller's transaction and sends nothing itself.
 *
 * `Events` and `Strict` are the tracking plan, if there is one: `Outbox<typeof events>`.
 */
export interface Outbox<Events extends EventPlan = never, Strict extends boolean = true> {
  /**
   * Stores an array of intents in the caller's transaction, in the array's order and in one statement. The options apply to
   * each intent. All intents are checked before the first is stored.
   *
   * @param tx As for a single intent.
   * @param intents The array: one statement stores thousands.
   * @param options See {@link BatchEnqueueOptions}.
   * @returns A result for each intent, in the order of the array.
   */
  enqueue<const Data extends readonly unknown[]>(
    tx: Transaction,
    intents: PlannedIntents<Events, Strict, Data>,
    options?: BatchEnqueueOptions & { readonly onError?: 'throw' | undefined },
  ): Promise<StoredResult[]>
  enqueue<const Data extends readonly unknown[]>(
    tx: Transaction,
    intents: PlannedIntents<Events, Strict, Data>,
    options: BatchEnqueueOptions,
  ): Promise<EnqueueResult[]>
  /**
   * Stores an intent in the caller's transaction: in one round trip if the transaction has written before, else in three.
   * COMMIT makes the intent durable, and a relay sends it then. ROLLBACK removes it together with its dedup key; so does
   * ROLLBACK TO a savepoint set before the call. `enqueue` sends no request, so an outage of Customer.io cannot slow down or
   * fail the caller.
   *
   * @param tx The transaction object of your library, or a client after BEGIN: see {@link Transaction}.
   * @param intent The intent, for example from one of the `intents` builders.
   * @param options See {@link EnqueueOptions}.
   * @returns The id of the intent, and whether it is a duplicate. With `onError: 'ignore'` the error of an intent that was
   * left out.
   * @throws {InvalidIntentError} if Customer.io would not take the intent. No SQL has run, the transaction is unchanged.
   * @throws {InvalidOptionError} if an option is wrong. No SQL has run, the transaction is unchanged.
   * @throws {EncryptionKeyError} if `encryption.current` has no key. No SQL has run, the transaction is unchanged.
   * @throws {NotATransactionError} for a pool, a database handle, a client outside a transaction, and a transaction that has
   * ended or in which a statement has failed.
   * @example
   * ```ts
   * import { intents } from 'customerio-outbox'
   *
   * const placed = intents.track(user.id, 'order_placed', { total: 42 })
   * const { id, duplicate } = await outbox.enqueue(tx, placed, { dedupKey: 'order:42:placed' })
   * ```
   */
  enqueue<Data, const Name extends string>(
    tx: Transaction,
    intent: PlannedIntent<Events, Strict, Data, Name>,
    options?: EnqueueOptions & { readonly onError?: 'throw' | undefined },
  ): Promise<StoredResult>
  // Last, because the compiler's error messages describe the last overload.
  enqueue<Data, const Name extends string>(
    tx: Transaction,
    intent: PlannedIntent<Events, Strict, Data, Name>,
    options: EnqueueOptions,
  ): Promise<EnqueueResult>
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
  statement<const Data extends readonly unknown[]>(
    intent: PlannedIntents<Events, Strict, Data>,
    options?: Omit<BatchEnqueueOptions, 'onError'>,
  ): Statement
  statement<Data, const Name extends string>(
    intent: PlannedIntent<Events, Strict, Data, Name>,
    options?: Omit<EnqueueOptions, 'onError'>,
  ): Statement
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
  trackClient(tx: Transaction, options?: EnqueueOptions): OutboxTrackClient<Events, Strict>
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
  pipelinesClient(tx: Transaction, options?: EnqueueOptions): OutboxPipelinesClient<Events, Strict>
}

/**
 * Creates the app's side of the outbox. It opens no connection and starts no timer. Create one outbox and share it.
 *
 * @param options See {@link OutboxOptions}.
 * @returns The outbox.
 * @throws {InvalidOptionError} if an option is unknown or has another type, or if `events` is no tracking plan.
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
export function createOutbox<const Events extends EventPlan = never, Strict extends boolean = true>(
  options: OutboxOptions<Events, Strict> = {},
): Outbox<Events, Strict> {
  const { schema, onIgnored, plan, encryption } = resolveOutboxOptions(options)
  const names = namesOf(schema)

  async function enqueue(tx: Transaction, given: Intent | readonly Intent[], enqueueOptions?: unknown) {
    if (!Array.isArray(given)) return (await store(tx, [() => given as Intent], 'one', enqueueOptions))[0]
    const make = Array.from(given, (intent: Intent) => () => intent)
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
    executorFor(tx) // refuses a wrong handle before anything else
    const ignoring = resolved.onError === 'ignore'
    const leaveOut = (error: Error) => {
      report(onIgnored, error)
      return given.map(() => ({ duplicate: false, error }) as const)
    }

    // Before this call waits for its turn, so that the app may change its objects as soon as `enqueue` has returned.
    let rows: EnqueueArguments[]
    try {
      const checked = plan === undefined ? given : checkEvents(plan, given, of)
      const prepared = prepareRows(
        checked instanceof Promise ? await checked : checked,
        of,
        resolved,
        encryption,
      )
      rows = prepared instanceof Promise ? await prepared : prepared
    } catch (error) {
      const canLeaveOut = error instanceof InvalidIntentError || error instanceof EncryptionKeyError
      if (ignoring && canLeaveOut) return leaveOut(error)
      throw error
    }
    if (rows.length === 0) return []
    const run = prepareCall(names, rows, of)
    return inTurn(tx, async () => {
      const executor = executorFor(tx) // the transaction may have ended while this call waited
      if (!ignoring) return run(executor)
      try {
        return await underSavepoint(executor, run)
      } catch (thrown) {
        const error = asThrown(thrown, executor)
        if (isProgrammingError(error)) throw error
        return leaveOut(error as Error)
      }
    })
  }

  function statement(given: Intent | readonly Intent[], enqueueOptions?: unknown): Statement {
    const of = Array.isArray(given) ? 'many' : 'one'
    const resolved = validateOptions(enqueueOptions, of)
    if (resolved.onError !== 'throw') {
      const shown = shownOption(resolved.onError)
      failOption('onError', 'to be absent: a statement is not run here', shown, 'onError')
    }
    const make = Array.from(Array.isArray(given) ? given : [given], (intent) => () => intent)
    const checked = plan === undefined ? make : checkEvents(plan, make, of)
    if (checked instanceof Promise) {
      checked.catch(() => {})
      failOption('events', 'to be checked at once for a statement', 'an asynchronous schema', 'events')
    }
    const rows = prepareRows(checked, of, resolved, encryption)
    if (rows instanceof Promise) {
      rows.catch(() => {})
      failOption('encryption', 'to return a key at once for a statement', 'a promise', 'encryption.current')
    }
    const [first] = rows
    if (!first) failOption('', 'to be an intent or an array of at least one', 'an empty array', 'intents')
    return of === 'one' ? statementForOne(names, first) : statementForMany(names, rows)
  }

  // The plan has types only: at run time every outbox has the same methods.
  const outbox: Outbox = {
    enqueue: enqueue as Outbox['enqueue'],
    statement,
    trackClient: (tx, options) => createTrackClient(sink(tx, options)),
    apiClient: (tx, options) => createApiClient(sink(tx, options)),
    pipelinesClient: (tx, options) => createPipelinesClient(sink(tx, options)),
  }
  return outbox as unknown as Outbox<Events, Strict>
}

/** Whether a failed statement is a mistake in the calling code. `onError: 'ignore'` hides errors of the database only. */
function isProgrammingError(error: unknown): boolean {
  return [NotATransactionError, TypeError, RangeError, ReferenceError].some(
    (mistake) => error instanceof mistake,
  )
}
