import type { EncryptionKey } from '../encryption/encryption-key.ts'
import { type KeyRing, keyRingOf } from '../encryption/key-ring.ts'
import { foldTimeline, type PersonTimeline } from '../observe/timeline/fold-timeline.ts'
import { readTimeline } from '../observe/timeline/read-timeline.ts'
import type { Queryable } from '../observe/views/queryable.ts'
import { readStatus, type Status } from '../observe/views/read-status.ts'
import { pauseDestinations } from '../store/breakers/pause-destinations.ts'
import { type Resumed, resumeDestinations } from '../store/breakers/resume-destinations.ts'
import { type Database, openDatabase } from '../store/connection/database.ts'
import {
  type ActionStatus,
  applyAction,
  type BulkKind,
  cancelAction,
  type FilterOf,
  followAction,
  type OptionsOf,
  type Preview,
  previewAction,
  readActions,
} from './actions.ts'
import {
  type DeadLetter,
  type DeadLetterPage,
  editDeadLetter,
  listDeadLetters,
  readDeadLetter,
} from './dead-letters.ts'
import type { DeadLetterFilter } from './filters.ts'
import { type FoundEvent, findEvents } from './find.ts'

/**
 * The options of `createOperator`.
 *
 * @example
 * ```ts
 * import type { OperatorOptions } from 'customerio-outbox/operator'
 *
 * const options: OperatorOptions = { connectionString: 'postgres://operator:secret@localhost:5432/app' }
 * ```
 */
export interface OperatorOptions {
  /** URL of a database user that is a member of `outbox_operator`. */
  readonly connectionString: string
  /**
   * Schema of the outbox.
   *
   * @default 'outbox'
   */
  readonly schema?: string | undefined
  /**
   * The keys of encrypted payloads, as in `OUTBOX_ENCRYPTION_KEYS`. Without them, encrypted dead letters are shown as envelopes and
   * cannot be edited.
   *
   * @default none
   */
  readonly encryption?: { readonly keys: string | readonly EncryptionKey[] } | undefined
}

/** Milliseconds. To preview a million dead letters takes seconds, to erase from a long queue perhaps a minute. */
const ANSWER_MS = 600_000

/**
 * Creates an operator: everything that the commands and the SQL functions of an operator do, as methods. Opens a connection with
 * the first call.
 *
 * @param options The database, as a member of `outbox_operator`.
 * @returns the operator. It is `AsyncDisposable`.
 * @throws Error for a schema name that is no lower-case identifier.
 *
 * @example
 * ```ts
 * import { createOperator } from 'customerio-outbox/operator'
 *
 * await using operator = createOperator({ connectionString: 'postgres://operator:secret@localhost:5432/app' })
 * const filter = { reason: 'rejected', name: 'order_placed' } as const
 * const { intents, plan } = await operator.preview('redrive', filter)
 * console.log(`${intents} dead letters`)
 * const actionId = await operator.apply('redrive', filter, plan, { reason: 'ticket 1234' })
 * for await (const { processed, total } of operator.follow(actionId)) console.log(`${processed} of ${total}`)
 * ```
 */
export function createOperator({ connectionString, schema, encryption }: OperatorOptions): Operator {
  const db = openDatabase({
    connectionString,
    schema,
    max: 2,
    answerMs: ANSWER_MS,
    applicationName: 'customerio-outbox operator',
  })
  return new Operator(db, encryption && keyRingOf(encryption.keys))
}

/**
 * An operator. Create it with `createOperator`.
 *
 * @example
 * ```ts
 * import { createOperator } from 'customerio-outbox/operator'
 *
 * const operator = createOperator({ connectionString: 'postgres://operator:secret@localhost:5432/app' })
 * console.log(await operator.find('u1'))
 * await operator.close()
 * ```
 */
export class Operator implements AsyncDisposable {
  readonly #db: Database
  readonly #ring: KeyRing | undefined

  /** @internal Use `createOperator`. */
  constructor(db: Database, ring: KeyRing | undefined) {
    this.#db = db
    this.#ring = ring
  }

  /**
   * Counts what a bulk action would touch. Changes nothing.
   *
   * @param kind What to do: `redrive` or `discard` dead letters, `replay` delivered intents, `cancel` or `reschedule` pending ones,
   *   or `erase` a person.
   * @param filter Which intents.
   * @param options Those that `apply` will get: the plan depends on them.
   * @returns the counts, and the plan for `apply`.
   * @throws DatabaseError of pg, with one clear message, for a wrong filter or option.
   *
   * @example
   * ```ts
   * const { intents, plan } = await operator.preview('redrive', { reason: 'rejected' })
   * ```
   */
  preview<Kind extends BulkKind>(
    kind: Kind,
    filter: FilterOf[Kind],
    options?: OptionsOf[Kind],
  ): Promise<Preview> {
    return previewAction(this.#db, kind, filter, options ?? {})
  }

  /**
   * Stores a bulk action, which a relay then carries out. It goes on after any crash of the relay, and waits while no relay runs.
   *
   * @param kind The same as for `preview`.
   * @param filter The same as for `preview`.
   * @param plan The plan of `preview`.
   * @param options The same as for `preview`, and the reason, which is recorded with the database user and the time.
   * @returns the id of the action.
   * @throws DatabaseError of pg if the set has changed since the preview, or if nothing matches.
   *
   * @example
   * ```ts
   * const filter = { operation: 'sendEmail', name: '42' }
   * const { plan } = await operator.preview('cancel', filter)
   * const actionId = await operator.apply('cancel', filter, plan, { reason: 'wrong template' })
   * ```
   */
  apply<Kind extends BulkKind>(
    kind: Kind,
    filter: FilterOf[Kind],
    plan: string,
    options?: OptionsOf[Kind] & { readonly reason?: string | undefined },
  ): Promise<string> {
    return applyAction(this.#db, kind, filter, plan, options ?? {})
  }

  /**
   * Ends an action after the chunk that runs. What it has done stays done.
   *
   * @param actionId The id that `apply` has returned.
   * @returns whether this call ended it.
   *
   * @example
   * ```ts
   * await operator.cancel('01a20a1d-5e19-71c8-ae3c-9274b2d19327')
   * ```
   */
  cancel(actionId: string): Promise<boolean> {
    return cancelAction(this.#db, actionId)
  }

  /**
   * Lists bulk actions.
   *
   * @param options `limit`: at most this many. Default: 20.
   * @returns the newest actions first.
   *
   * @example
   * ```ts
   * for (const { kind, processed, total } of await operator.actions()) console.log(kind, processed, total)
   * ```
   */
  actions({ limit = 20 }: { readonly limit?: number } = {}): Promise<ActionStatus[]> {
    return readActions(this.#db, limit)
  }

  /**
   * Reads one action.
   *
   * @param actionId The id that `apply` has returned.
   * @returns undefined if there is no such action.
   *
   * @example
   * ```ts
   * const action = await operator.action('01a20a1d-5e19-71c8-ae3c-9274b2d19327')
   * console.log(action?.state)
   * ```
   */
  async action(actionId: string): Promise<ActionStatus | undefined> {
    return (await readActions(this.#db, 1, actionId))[0]
  }

  /**
   * Follows the progress of an action.
   *
   * @param actionId The id that `apply` has returned.
   * @param signal Ends the iteration. The action goes on.
   * @returns a status every half second, the last one when the action has ended.
   *
   * @example
   * ```ts
   * const progress = operator.follow('01a20a1d-5e19-71c8-ae3c-9274b2d19327')
   * for await (const { processed, total } of progress) console.log(`${processed} of ${total}`)
   * ```
   */
  follow(actionId: string, signal?: AbortSignal): AsyncGenerator<ActionStatus, void, void> {
    return followAction(this.#db, actionId, signal)
  }

  /**
   * Finds what happened to the intents of a person, or to one intent.
   *
   * @param what A person's id, email, phone or cio_id, an intent's id, its ULID, a dedup key, or Customer.io's delivery id.
   * @param options `maxIntents`: the newest intents in each place, at most this many. Default: 100.
   * @returns the events in order of time.
   *
   * @example
   * ```ts
   * for (const { at, event, detail } of await operator.find('jane@example.com')) console.log(at, event, detail)
   * ```
   */
  find(what: string, { maxIntents = 100 }: { readonly maxIntents?: number } = {}): Promise<FoundEvent[]> {
    return findEvents(this.#db, what, maxIntents)
  }

  /**
   * Folds what was delivered to Customer.io for a person into what Customer.io should know. Only for workspaces that keep the
   * payloads of delivered intents, and only for payloads that are not encrypted.
   *
   * @param person A person's id, email, phone or cio_id.
   * @param options `until`: leaves out what was written later. Default: no limit.
   * @returns one result for each workspace that has intents of the person.
   *
   * @example
   * ```ts
   * for (const { workspace, profile } of await operator.timeline('u1')) console.log(workspace, profile)
   * ```
   */
  async timeline(
    person: string,
    { until }: { readonly until?: Date | undefined } = {},
  ): Promise<PersonTimeline[]> {
    return foldTimeline(await readTimeline(this.#queryable, this.#db.names, person, until), person)
  }

  /**
   * Lists dead letters.
   *
   * @param filter Default: all.
   * @param options `limit`: 1 to 10,000. Default: 50. `after`: `next` of the page before.
   * @returns a page, the newest first.
   *
   * @example
   * ```ts
   * const { letters, next } = await operator.deadLetters({ status: 400 }, { limit: 20 })
   * ```
   */
  deadLetters(
    filter: DeadLetterFilter = {},
    { limit = 50, after }: { readonly limit?: number; readonly after?: string | undefined } = {},
  ): Promise<DeadLetterPage> {
    return listDeadLetters(this.#db, this.#ring, filter, limit, after)
  }

  /**
   * Reads one dead letter.
   *
   * @param id A UUID or a ULID.
   * @returns undefined if there is no such dead letter.
   *
   * @example
   * ```ts
   * const letter = await operator.deadLetter('01a20a1d-5e19-71c8-ae3c-9274b2d19327')
   * console.log(letter?.payload)
   * ```
   */
  deadLetter(id: string): Promise<DeadLetter | undefined> {
    return readDeadLetter(this.#db, this.#ring, id)
  }

  /**
   * Replaces the payload of a dead letter, after the checks of `enqueue`. The old payload stays in `outbox.history`.
   *
   * @param letter The dead letter, as `deadLetter` returns it.
   * @param payload The new payload: the fields of the intent without `operation`.
   * @param options `reason`: why. Recorded with the database user.
   * @throws InvalidIntentError for a payload that no relay could send.
   *
   * @example
   * ```ts
   * const letter = await operator.deadLetter('01a20a1d-5e19-71c8-ae3c-9274b2d19327')
   * if (letter) await operator.editDeadLetter(letter, { ...letter.payload, name: 'order_placed' })
   * ```
   */
  editDeadLetter(
    letter: DeadLetter,
    payload: Readonly<Record<string, unknown>>,
    { reason }: { readonly reason?: string | undefined } = {},
  ): Promise<void> {
    return editDeadLetter(this.#db, this.#ring, letter, payload, reason)
  }

  /**
   * Stops delivery to a destination for the whole fleet, until `resume`.
   *
   * @param destination `<workspace>/<api>`.
   * @param options `reason`: why. Recorded with the database user.
   * @returns whether this call paused it.
   *
   * @example
   * ```ts
   * await operator.pause('default/app', { reason: 'wrong template' })
   * ```
   */
  async pause(
    destination: string,
    { reason }: { readonly reason?: string | undefined } = {},
  ): Promise<boolean> {
    const [row] = await pauseDestinations(this.#db, [destination], reason)
    return row?.paused ?? false
  }

  /**
   * Ends whatever stops delivery to a destination.
   *
   * @param destination `<workspace>/<api>`.
   * @returns what it did.
   *
   * @example
   * ```ts
   * console.log(await operator.resume('default/app'))
   * ```
   */
  async resume(destination: string): Promise<Resumed> {
    const [row] = await resumeDestinations(this.#db, [destination])
    return row?.result ?? 'unchanged'
  }

  /**
   * Reads all views.
   *
   * @returns health, backlog, breakers, relays, dead letters and throughput.
   *
   * @example
   * ```ts
   * const { health, backlog } = await operator.status()
   * ```
   */
  status(): Promise<Status> {
    return readStatus(this.#queryable, this.#db.names)
  }

  /**
   * Closes the connections.
   *
   * @example
   * ```ts
   * await operator.close()
   * ```
   */
  close(): Promise<void> {
    return this.#db.close()
  }

  get #queryable(): Queryable {
    return { query: async (text, values) => ({ rows: await this.#db.query(text, values) }) }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}
