import type { JsonObject } from '../../intent/json-types.ts'
import type { Names } from '../../store/names.ts'
import type { Queryable } from '../views/queryable.ts'

/** An intent of a person, as `outbox.timeline` returns it. */
export interface TimelineIntent {
  /**
   * - `kept`: delivered, and its payload is in the archive
   * - `not_kept`: delivered, and its payload is gone
   * - `suppressed_by_config`: not sent, because of the workspace's `allowRecipients`
   * - `pending`, `scheduled`, `dead`: not delivered
   */
  readonly state: 'kept' | 'not_kept' | 'suppressed_by_config' | 'pending' | 'scheduled' | 'dead'
  readonly id: string
  /** `<workspace>/<api>` */
  readonly destination: string
  readonly operation: string
  /** The name of an event or screen, the path of a page, the template of a message. */
  readonly name: string | null
  readonly writtenAt: Date
  /** When it was delivered, or died. Null if it is pending or scheduled. */
  readonly at: Date | null
  /** As for `enqueue`. Null if it was not kept. */
  readonly payload: JsonObject | null
  /** Why it is pending or dead. */
  readonly detail: string | null
}

/** The oldest kept delivery of a workspace: what was delivered before is not in the archive. */
export interface FirstKept {
  readonly state: 'first_kept'
  /** The workspace. */
  readonly destination: string
  readonly at: Date
}

export type TimelineRow = TimelineIntent | FirstKept

/**
 * Reads a person's intents in the order of their writes, with the payloads that the outbox has. Needs the rights of
 * `outbox_operator`.
 *
 * @param person As for `find`: an id, an email, or with its kind, such as `phone:+49123`.
 * @param until Leaves out what was written after this time. Default: no limit.
 */
export async function readTimeline(
  db: Queryable,
  names: Names,
  person: string,
  until?: Date,
): Promise<TimelineRow[]> {
  const { rows } = await db.query(
    `SELECT state, id, destination, operation, name, written_at AS "writtenAt", at, payload, detail
     FROM ${names.q}.timeline($1, $2)`,
    [person, until ?? null],
  )
  return rows as TimelineRow[]
}
