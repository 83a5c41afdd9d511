import { AppJournal } from './app-journal.ts'
import type { FakeState } from './apply-operation.ts'
import type { FakeCustomerIoOptions } from '../model/fake-options.ts'
import { Journal } from './journal.ts'
import { ObjectsStore } from './objects-store.ts'
import type { AppliedOperation } from '../model/operation.ts'
import { OrderCheck } from './order-check.ts'
import { type FakeDevice, PeopleStore, personKeyOf, type Profile } from './people-store.ts'
import { PipelinesJournal } from './pipelines-journal.ts'
import { RateLimiter } from '../model/rate-limits.ts'
import { Requests } from './request-log.ts'

/** A person as Customer.io shows them after all operations applied so far. */
export interface FakePerson {
  /** The present identifiers. The fake assigns `cio_id` when it creates the profile. */
  readonly identifiers: Readonly<{
    id?: string
    email?: string
    phone?: string
    anonymous_id?: string
    cio_id: string
  }>
  /** Null and the empty string remove an attribute. Empty after a deletion. */
  readonly attributes: Readonly<Record<string, unknown>>
  readonly devices: readonly FakeDevice[]
  /** Attributes of each relationship, by the object's key (`object:1/acme`). */
  readonly relationships: Readonly<Record<string, Readonly<Record<string, unknown>>>>
  /** Events, pages and screens in order of application, including merged and formerly anonymous ones. */
  readonly events: readonly AppliedOperation[]
  /** All operations applied to this person in order, including those before a deletion. */
  readonly operations: readonly AppliedOperation[]
  /** `operations.length`. Counted even with `keepOperations: false`. */
  readonly operationCount: number
  /** The `ordinal` of the last operation applied to this person. */
  readonly lastOrdinal: number
  readonly suppressed: boolean
  /** Whether the person was deleted, suppressed or merged away, and not identified or tracked since. */
  readonly deleted: boolean
  /** `cio_id:…` of the person that this one was merged into, if any. */
  readonly mergedInto: string | undefined
}

/** Exactly one identifier of a person. */
export type PersonLookup =
  | { readonly id: string | number }
  | { readonly email: string }
  | { readonly phone: string }
  | { readonly cio_id: string }
  | { readonly anonymous_id: string }

/** All state that `reset()` clears. */
export interface RecordedState extends FakeState {
  readonly app: AppJournal
  readonly pipelines: PipelinesJournal
  readonly order: OrderCheck
  readonly limiter: RateLimiter
  readonly requests: Requests
  readonly counts: { operations: number; refused: number }
}

export function emptyState(options: FakeCustomerIoOptions): RecordedState {
  const { keepOperations = true, keepRequests = 1_000, sequenceOf } = options
  const order = new OrderCheck(sequenceOf)
  return {
    people: new PeopleStore(),
    objects: new ObjectsStore(),
    journal: new Journal({ keepOperations, order }),
    app: new AppJournal(keepOperations),
    pipelines: new PipelinesJournal(keepOperations, order),
    order,
    limiter: new RateLimiter(),
    requests: new Requests(keepRequests),
    counts: { operations: 0, refused: 0 },
  }
}

export function findPerson(people: PeopleStore, identifiers: PersonLookup): FakePerson | undefined {
  const profile = people.findIncludingDeleted(personKeyOf(identifiers))
  return profile === undefined ? undefined : view(profile)
}

/** A copy, so that later requests do not change a value that a test holds. */
function view(profile: Profile): FakePerson {
  return {
    identifiers: { ...profile.identifiers },
    attributes: Object.fromEntries(profile.details.attributes),
    devices: [...profile.details.devices.values()],
    relationships: Object.fromEntries(profile.details.relationships),
    events: [...profile.details.events],
    operations: [...profile.operations],
    operationCount: profile.operationCount,
    lastOrdinal: profile.lastOrdinal,
    suppressed: profile.suppressed,
    deleted: profile.deleted,
    mergedInto: profile.mergedInto,
  }
}
