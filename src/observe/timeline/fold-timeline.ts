import type { JsonObject } from '../../intent/json-types.ts'
import { effectOf } from './effect-of.ts'
import { apply, type IgnoredBecause, type Profile } from './profile.ts'
import type { TimelineIntent, TimelineRow } from './read-timeline.ts'

/** What the outbox knows about a person in one workspace. */
export interface PersonTimeline {
  readonly workspace: string
  /** Deliveries before this time are not in the archive. Null: the workspace keeps no payloads. */
  readonly completeSince: Date | null
  /** What Customer.io should know, as far as the archive goes. */
  readonly profile: Profile
  /** Messages that Customer.io accepted. */
  readonly messages: readonly TimelineIntent[]
  /** Kept intents that had no effect, and why. */
  readonly ignored: readonly { readonly intent: TimelineIntent; readonly because: IgnoredBecause }[]
  /** Kept intents that are not part of `profile`: relationships, groups, push reports. */
  readonly notFolded: readonly TimelineIntent[]
  /** Pending, scheduled and dead: Customer.io does not know of them. */
  readonly notDelivered: readonly TimelineIntent[]
  /** Delivered, but their payloads are gone: Customer.io knows them, and `profile` lacks them. */
  readonly notKept: readonly TimelineIntent[]
  /** Never sent, because of the workspace's `allowRecipients`. */
  readonly notSent: readonly TimelineIntent[]
}

/**
 * Folds the intents of a person into what Customer.io should know, for each workspace. Pure.
 *
 * @param rows What `readTimeline` returned, in its order.
 * @param person The person that it was called with.
 */
export function foldTimeline(rows: readonly TimelineRow[], person: string): PersonTimeline[] {
  const intents = rows.flatMap((row) => (row.state === 'first_kept' ? [] : row))
  const firstKept = new Map(
    rows.flatMap((row) => (row.state === 'first_kept' ? [[row.destination, row.at] as const] : [])),
  )
  const workspaces = [...new Set(intents.map(workspaceOf))].sort()
  return workspaces.map((workspace) => ({
    workspace,
    completeSince: firstKept.get(workspace) ?? null,
    ...foldWorkspace(
      intents.filter((intent) => workspaceOf(intent) === workspace),
      isOneOf(person),
    ),
  }))
}

function foldWorkspace(intents: readonly TimelineIntent[], isPerson: (identifiers: JsonObject) => boolean) {
  let profile: Profile = { status: 'unknown' }
  const messages: TimelineIntent[] = []
  const notFolded: TimelineIntent[] = []
  const ignored: { intent: TimelineIntent; because: IgnoredBecause }[] = []
  for (const intent of intents) {
    if (intent.state !== 'kept') continue
    const effect = effectOf(intent)
    const applied = apply(profile, intent.id, effect, isPerson)
    profile = applied.profile
    if (applied.ignored) ignored.push({ intent, because: applied.ignored })
    else if (effect.kind === 'message') messages.push(intent)
    else if (effect.kind === 'other') notFolded.push(intent)
  }
  const inState = (...states: TimelineIntent['state'][]) =>
    intents.filter(({ state }) => states.includes(state))
  return {
    profile,
    messages,
    ignored,
    notFolded,
    notDelivered: inState('pending', 'scheduled', 'dead'),
    notKept: inState('not_kept'),
    notSent: inState('suppressed_by_config'),
  }
}

function workspaceOf({ destination }: TimelineIntent): string {
  return destination.slice(0, destination.indexOf('/'))
}

/** Whether identifiers contain a person's, given as for `find`: `email:jane@example.com`, or without a kind. */
function isOneOf(person: string): (identifiers: JsonObject) => boolean {
  const value = person.replace(/^(id|email|phone|cio_id):(?=.)/, '').toLowerCase()
  return (identifiers) => Object.values(identifiers).some((found) => String(found).toLowerCase() === value)
}
