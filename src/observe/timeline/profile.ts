import type { Json, JsonObject } from '../../intent/json-types.ts'
import type { Effect } from './effect-of.ts'

export interface KnownEvent {
  readonly id: string
  readonly type: 'event' | 'page' | 'screen'
  readonly name: string
  /** Unix seconds. */
  readonly time: number
  readonly data: JsonObject
}

/** What Customer.io should know about a person. A change makes a new profile, but for the maps and lists of a present one. */
export type Profile =
  /** No kept intent is about the person. */
  | { readonly status: 'unknown' }
  | {
      readonly status: 'present'
      readonly attributes: Map<string, Json>
      /** By attribute, the Unix seconds of the update that set or removed it. */
      readonly attributeTimes: Map<string, number>
      /** By token, as it was last added. */
      readonly devices: Map<string, JsonObject>
      /** In the order of their writes. */
      readonly events: KnownEvent[]
      /** The people that were merged into this one. Their attributes and events are not part of this profile. */
      readonly mergedIn: JsonObject[]
    }
  | { readonly status: 'deleted'; readonly mergedInto?: JsonObject }
  /** Customer.io ignores everything about the person until `unsuppress`. */
  | { readonly status: 'suppressed' }

/** Why an intent had no effect, although Customer.io accepted it. */
export type IgnoredBecause = 'suppressed' | 'older_than_known' | 'update_only'

export type Applied = { readonly profile: Profile; readonly ignored?: IgnoredBecause }

/**
 * Applies an effect as Customer.io does.
 *
 * @param isPerson Whether identifiers are those of the person: for a merge, which of the two people it is.
 */
export function apply(
  profile: Profile,
  id: string,
  effect: Effect,
  isPerson: (identifiers: JsonObject) => boolean,
): Applied {
  if (effect.kind === 'unsuppressed')
    return { profile: profile.status === 'suppressed' ? { status: 'deleted' } : profile }
  if (profile.status === 'suppressed') return { profile, ignored: 'suppressed' }
  switch (effect.kind) {
    case 'deleted':
      return { profile: { status: 'deleted' } }
    case 'suppressed':
      return { profile: { status: 'suppressed' } }
    case 'attributes':
      // The archive may begin after the person did, so an unknown person may exist.
      if (effect.updateOnly && profile.status === 'deleted') return { profile, ignored: 'update_only' }
      return setAttributes(presentOf(profile), effect.values, effect.time)
    case 'event': {
      const { type, name, data, time } = effect
      const present = presentOf(profile)
      present.events.push({ id, type, name, time, data })
      return { profile: present }
    }
    case 'device_added': {
      const present = presentOf(profile)
      present.devices.set(effect.token, effect.device)
      return { profile: present }
    }
    case 'device_removed':
      if (profile.status === 'present') profile.devices.delete(effect.token)
      return { profile }
    case 'merged': {
      if (isPerson(effect.secondary)) return { profile: { status: 'deleted', mergedInto: effect.primary } }
      const present = presentOf(profile)
      present.mergedIn.push(effect.secondary)
      return { profile: present }
    }
    case 'message':
    case 'other':
      return { profile }
  }
}

type Present = Extract<Profile, { status: 'present' }>

function presentOf(profile: Profile): Present {
  if (profile.status === 'present') return profile
  return {
    status: 'present',
    attributes: new Map(),
    attributeTimes: new Map(),
    devices: new Map(),
    events: [],
    mergedIn: [],
  }
}

/** Customer.io keeps, of each attribute, the value with the latest time. Null and the empty text remove an attribute. */
function setAttributes(profile: Present, values: JsonObject, time: number): Applied {
  const { attributes, attributeTimes } = profile
  const given = Object.entries(values)
  const newer = given.filter(([name]) => time >= (attributeTimes.get(name) ?? Number.NEGATIVE_INFINITY))
  for (const [name, value] of newer) {
    attributeTimes.set(name, time)
    if (value === undefined || value === null || value === '') attributes.delete(name)
    else attributes.set(name, value)
  }
  return given.length > 0 && newer.length === 0 ? { profile, ignored: 'older_than_known' } : { profile }
}
