import type { AppliedOperation } from '../model/operation.ts'

/** A device as it was last added. `lastUsed` is in Unix seconds. */
export interface FakeDevice {
  readonly token: string
  readonly platform: 'ios' | 'android'
  readonly lastUsed: number | undefined
  readonly attributes: Readonly<Record<string, unknown>>
}

/** The part of a profile that a deletion removes. */
class ProfileDetails {
  readonly attributes = new Map<string, unknown>()
  /** Per attribute, the Unix seconds of the update that set it. */
  readonly attributeTimes = new Map<string, number>()
  readonly devices = new Map<string, FakeDevice>()
  readonly relationships = new Map<string, Readonly<Record<string, unknown>>>()
  events: AppliedOperation[] = []
}

/** One profile. A `deleted` one keeps its identifiers and operations. */
export class Profile {
  readonly identifiers: { id?: string; email?: string; phone?: string; anonymous_id?: string; cio_id: string }
  operations: AppliedOperation[] = []
  operationCount = 0
  lastOrdinal = 0
  suppressed = false
  deleted = false
  mergedInto: string | undefined

  #details: ProfileDetails | undefined

  constructor(cioId: string) {
    this.identifiers = { cio_id: cioId }
  }

  /** Created on first use: with `keepOperations: false` a million profiles never need it. */
  get details(): ProfileDetails {
    this.#details ??= new ProfileDetails()
    return this.#details
  }

  forgetDetails(): void {
    this.#details = undefined
  }
}

const changeable = ['id', 'email', 'phone', 'anonymous_id'] as const

type IdentifierKind = (typeof changeable)[number]

/** The one identifier of a checked operation as a key: `id:u1`, `email:a@b.c`. Email addresses ignore case. */
export function personKeyOf(identifiers: Readonly<Record<string, unknown>> | undefined): string {
  for (const kind in identifiers) return keyOf(kind, identifiers[kind])
  return 'anonymous_id:'
}

function keyOf(kind: string, value: unknown): string {
  return kind === 'email' ? `email:${String(value).toLowerCase()}` : `${kind}:${String(value)}`
}

/** Profiles by each of their identifiers, deleted profiles by their former ones, and the suppressed identifiers. */
export class PeopleStore {
  readonly #profiles = new Map<string, Profile>()
  readonly #deleted = new Map<string, Profile>()
  readonly #suppressed = new Set<string>()
  #lastCioId = 0

  find(key: string): Profile | undefined {
    return this.#profiles.get(key)
  }

  /** The living profile, or else the deleted one. */
  findIncludingDeleted(key: string): Profile | undefined {
    return this.#profiles.get(key) ?? this.#deleted.get(key)
  }

  isSuppressed(key: string): boolean {
    return this.#suppressed.has(key)
  }

  create(key: string): Profile {
    this.#lastCioId += 1
    const profile = new Profile(`fa4e${this.#lastCioId.toString(16).padStart(8, '0')}`)
    this.#profiles.set(`cio_id:${profile.identifiers.cio_id}`, profile)
    const former = this.#deleted.get(key)
    this.#assign(profile, key)
    if (former !== undefined) {
      profile.operations = [...former.operations]
      profile.operationCount = former.operationCount
    }
    return profile
  }

  /**
   * Assigns the identifiers in `attributes` to the profile. It skips an identifier that is suppressed or belongs to another
   * profile. It also skips one that would change an identifier of this profile, unless the operation used the `cio_id`.
   * Customer.io answers 200 in these cases, and logs a failed update. An `anonymous_id` of another profile is not skipped:
   * that profile's events move to this one.
   *
   * @returns The names of the skipped attributes.
   */
  assignIdentifiers(
    profile: Profile,
    attributes: Readonly<Record<string, unknown>>,
    byCioId: boolean,
  ): Set<string> {
    const skipped = new Set<string>()
    for (const kind of changeable) {
      const value = attributes[kind]
      if (value === undefined || value === null || value === '') continue
      const key = keyOf(kind, value)
      const owner = this.#profiles.get(key)
      if (owner === profile) continue
      const present = profile.identifiers[kind]
      if (kind === 'anonymous_id' && owner !== undefined) this.#adopt(profile, owner)
      else if (owner !== undefined || this.#suppressed.has(key) || (present !== undefined && !byCioId)) {
        skipped.add(kind)
        continue
      }
      if (present !== undefined) this.#profiles.delete(keyOf(kind, present))
      this.#assign(profile, key)
    }
    return skipped
  }

  /** The profile with an identifier among the attributes, for an operation whose own identifier is unknown. */
  findByAttributes(attributes: Readonly<Record<string, unknown>>): Profile | undefined {
    for (const kind of ['id', 'email', 'phone'] as const) {
      const value = attributes[kind]
      const profile = value === undefined ? undefined : this.#profiles.get(keyOf(kind, value))
      if (profile !== undefined) return profile
    }
    return undefined
  }

  /** Gives the profile an identifier, which replaces its identifier of the same kind. Does nothing if a profile has it. */
  assign(profile: Profile, key: string): void {
    if (this.#profiles.has(key)) return
    const kind = kindOf(key)
    const present = profile.identifiers[kind]
    if (present !== undefined) this.#profiles.delete(keyOf(kind, present))
    this.#assign(profile, key)
  }

  delete(profile: Profile): void {
    for (const key of keysOf(profile)) {
      this.#profiles.delete(key)
      this.#deleted.set(key, profile)
    }
    profile.deleted = true
    profile.forgetDetails()
  }

  /** Deletes the profile and suppresses all its identifiers until `unsuppress`. */
  suppress(profile: Profile): void {
    this.delete(profile)
    profile.suppressed = true
    for (const key of keysOf(profile)) this.#suppressed.add(key)
  }

  unsuppress(key: string): Profile | undefined {
    this.#suppressed.delete(key)
    const profile = this.#deleted.get(key)
    if (profile === undefined) return undefined
    profile.suppressed = false
    for (const each of keysOf(profile)) this.#suppressed.delete(each)
    return profile
  }

  /** Moves events, and attributes that the primary lacks, from the secondary to the primary. Deletes the secondary. */
  merge(primary: Profile, secondary: Profile): void {
    const { email, phone } = secondary.identifiers
    const from = secondary.details
    const into = primary.details
    this.delete(secondary)
    secondary.mergedInto = `cio_id:${primary.identifiers.cio_id}`
    for (const [name, value] of from.attributes) {
      if (name === 'id' || into.attributes.has(name)) continue
      into.attributes.set(name, value)
      into.attributeTimes.set(name, from.attributeTimes.get(name) ?? 0)
    }
    this.assignIdentifiers(primary, { email, phone }, false)
    into.events = mergeByOrdinal(into.events, from.events)
  }

  /** Moves the events of an anonymous profile to the person. */
  #adopt(profile: Profile, anonymous: Profile): void {
    profile.details.events = mergeByOrdinal(profile.details.events, anonymous.details.events)
    this.#profiles.delete(`cio_id:${anonymous.identifiers.cio_id}`)
  }

  #assign(profile: Profile, key: string): void {
    profile.identifiers[kindOf(key)] = key.slice(key.indexOf(':') + 1)
    this.#profiles.set(key, profile)
    this.#deleted.delete(key)
  }
}

function kindOf(key: string): IdentifierKind {
  return key.slice(0, key.indexOf(':')) as IdentifierKind
}

function keysOf(profile: Profile): string[] {
  return Object.entries(profile.identifiers).map(([kind, value]) => keyOf(kind, value))
}

function mergeByOrdinal(a: readonly AppliedOperation[], b: readonly AppliedOperation[]): AppliedOperation[] {
  return [...a, ...b].sort((left, right) => left.ordinal - right.ordinal)
}
