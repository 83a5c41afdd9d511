import { dedupKeyOf } from '../intent/keys/dedup-key.ts'
import { kindOf } from '../intent/describe.ts'
import { InvalidOptionError } from '../intent/errors.ts'
import { checkOptionNames, failOption } from '../intent/option-checks.ts'
import type { Intent } from '../intent/intent.ts'
import type { BatchEnqueueOptions, EnqueueOptions, ResolvedOptions } from '../intent/options.ts'
import { toPayload } from '../intent/payload.ts'
import { validateIntent } from '../intent/validate/validate-intent.ts'
import { validateOptions } from '../intent/validate/validate-options.ts'
import { type Names, namesOf } from '../store/names.ts'
import { type Executor, executorFor, type Transaction } from './executor.ts'
import { createApiClient, type OutboxApiClient } from './clients/api-client.ts'
import type { MakeIntent, Sink } from './clients/client-types.ts'
import { createPipelinesClient, type OutboxPipelinesClient } from './clients/pipelines-client.ts'
import { createTrackClient, type OutboxTrackClient } from './clients/track-client.ts'
import type { EnqueueResult, StoredResult } from './results.ts'
import { underSavepoint } from './savepoint.ts'
import { enqueueMany, enqueueOne, type EnqueueArguments } from './call-enqueue.ts'

export interface OutboxOptions {
  /** The schema given to `customerio-outbox migrate`. Default: `outbox`. */
  readonly schema?: string | undefined
  /**
   * Told of every error that `onError: 'ignore'` kept from the caller. Default: a Node warning without any
   * payload, so that it cannot go unseen.
   */
  readonly onIgnored?: ((error: Error) => void) | undefined
}

export interface Outbox {
  /**
   * The same as for one intent for an array, in its order, in one round trip for thousands; the options count for
   * each. All are checked before the first is stored. Results come in the order of the intents.
   */
  enqueue(
    tx: Transaction,
    intents: readonly Intent[],
    options?: BatchEnqueueOptions & { readonly onError?: 'throw' | undefined },
  ): Promise<StoredResult[]>
  enqueue(tx: Transaction, intents: readonly Intent[], options: BatchEnqueueOptions): Promise<EnqueueResult[]>
  /**
   * Stores an intent in the caller's transaction, in one round trip. COMMIT makes it durable and it will be
   * sent; ROLLBACK, also to a savepoint, leaves nothing of it, its dedup key included. Nothing is sent from here:
   * an outage of Customer.io cannot slow or fail the caller.
   *
   * @param tx A pg client after BEGIN, a Drizzle transaction, or what one of pg-boss' adapters returns.
   * @throws {InvalidIntentError | InvalidOptionError} before any SQL runs: the transaction is untouched.
   * @throws {NotATransactionError} for a pool, a bare database, or a client outside a transaction.
   */
  enqueue(
    tx: Transaction,
    intent: Intent,
    options?: EnqueueOptions & { readonly onError?: 'throw' | undefined },
  ): Promise<StoredResult>
  // The last overload is the one that the compiler's messages speak of.
  enqueue(tx: Transaction, intent: Intent, options: EnqueueOptions): Promise<EnqueueResult>
  /**
   * customerio-node's `TrackClient`, with its methods and their parameters, which enqueues in `tx` in place of
   * sending: for an app that moves over call by call. Methods that cannot be enqueued are absent. The options
   * hold for every call; make another client where they differ.
   */
  trackClient(tx: Transaction, options?: EnqueueOptions): OutboxTrackClient
  /** The same for its `APIClient`: transactional messages and broadcasts. */
  apiClient(tx: Transaction, options?: EnqueueOptions): OutboxApiClient
  /** The same for its `PipelinesClient`. */
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
 * The app's side of the outbox. Holds no connection and starts nothing: make one and share it.
 *
 * @throws InvalidOptionError if an option is unknown or of another kind.
 * @throws Error if the schema's name is not a plain identifier.
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
        // Its second call would be dropped as a duplicate of the first, whatever it says.
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
    const ignore = (enqueueOptions as EnqueueOptions | undefined)?.onError === 'ignore'
    try {
      const resolved = validateOptions(enqueueOptions, of)
      const executor = executorFor(tx)
      const rows = prepare(given, of, resolved)
      if (rows.length === 0) return []
      const run = (on: Executor) => insert(on, names, rows, of)
      return await (ignore ? underSavepoint(executor, run) : run(executor))
    } catch (error) {
      if (!ignore) throw error
      onIgnored(error as Error)
      return given.map(() => ({ duplicate: false, error: error as Error }))
    }
  }

  return {
    enqueue: enqueue as Outbox['enqueue'],
    trackClient: (tx, options) => createTrackClient(sink(tx, options)),
    apiClient: (tx, options) => createApiClient(sink(tx, options)),
    pipelinesClient: (tx, options) => createPipelinesClient(sink(tx, options)),
  }
}

/** Checks everything before any SQL runs. */
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

/** Postgres takes no exponent, and its smallest interval is a microsecond. */
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
