import type { Journal } from './journal.ts'
import { objectKeyOf, type ObjectsStore, relationshipsOf } from './objects-store.ts'
import { type AppliedOperation, type Arrival, type FakeOperation, isRecord } from '../model/operation.ts'
import { type FakeDevice, type PeopleStore, personKeyOf, type Profile } from './people-store.ts'

export interface FakeState {
  readonly people: PeopleStore
  readonly objects: ObjectsStore
  readonly journal: Journal
}

/** Applies one checked operation, drops it as a duplicate, or ignores it as documented. */
export function applyOperation(state: FakeState, operation: FakeOperation, arrival: Arrival): void {
  if (operation.type === 'person') {
    if (operation.action === 'merge') applyMerge(state, operation, arrival)
    else applyToPerson(state, operation, arrival)
    return
  }
  const { journal, objects } = state
  const id = String(operation.identifiers?.id)
  const isDelivery = operation.type === 'delivery'
  const key = isDelivery ? `delivery:${id}` : objectKeyOf(operation.identifiers)
  const record = journal.apply(operation, key, arrival)
  if (!journal.keepsOperations) return
  if (isDelivery) objects.applyDelivery(id, record)
  else objects.applyObject(operation, record)
}

function applyToPerson({ people, journal }: FakeState, operation: FakeOperation, arrival: Arrival): void {
  const { action } = operation
  const key = personKeyOf(operation.identifiers)
  if (action === 'unsuppress') {
    const former = people.unsuppress(key)
    const record = journal.apply(operation, key, arrival)
    if (former !== undefined) recordOn(former, record, journal)
    return
  }
  if (people.isSuppressed(key)) {
    journal.ignore(operation, key, arrival, 'suppressed')
    return
  }

  const isEvent = action === 'event' || action === 'page' || action === 'screen'
  if (isEvent && journal.dropDuplicate(operation, key, arrival)) return

  const given = action === 'identify' ? (operation.attributes ?? {}) : {}
  const known = people.find(key) ?? people.findByAttributes(given)
  if (known === undefined) {
    if (key.startsWith('cio_id:')) {
      journal.ignore(operation, key, arrival, 'unknown_cio_id')
      return
    }
    if (given._update === true) {
      journal.ignore(operation, key, arrival, 'update_only')
      return
    }
    if (action === 'delete_device' || action === 'delete_relationships') {
      // Customer.io accepts the operation without effect: a deletion does not create a person.
      journal.apply(operation, key, arrival)
      return
    }
  }
  const profile = known ?? people.create(key)
  const record = journal.apply(operation, key, arrival)
  recordOn(profile, record, journal)

  if (action === 'delete') people.delete(profile)
  else if (action === 'suppress') people.suppress(profile)
  else if (action === 'identify') identify(people, profile, key, record, journal)
  else if (!journal.keepsOperations) return
  else if (isEvent) profile.details.events.push(record)
  else if (action === 'add_device') addDevice(profile, record)
  else if (action === 'delete_device') profile.details.devices.delete(String(operation.device?.token))
  else relate(profile, operation.cio_relationships, action === 'delete_relationships')
}

function recordOn(profile: Profile, record: AppliedOperation, journal: Journal): void {
  profile.operationCount += 1
  profile.lastOrdinal = record.ordinal
  if (journal.keepsOperations) profile.operations.push(record)
}

function identify(
  people: PeopleStore,
  profile: Profile,
  key: string,
  record: AppliedOperation,
  journal: Journal,
): void {
  const { attributes = {}, cio_relationships: relationships, timestamp } = record.body
  const byCioId = key.startsWith('cio_id:')
  if (!byCioId) people.assign(profile, key)
  const skipped = people.assignIdentifiers(profile, attributes, byCioId)
  if (!journal.keepsOperations) return
  const time = timestamp ?? Math.floor(record.receivedAt / 1_000)
  for (const [name, value] of Object.entries(attributes)) {
    if (name === '_update' || skipped.has(name)) continue
    // The timestamp orders attribute updates: an older update does not overwrite a newer one.
    if (time < (profile.details.attributeTimes.get(name) ?? 0)) continue
    profile.details.attributeTimes.set(name, time)
    if (value === null || value === '') profile.details.attributes.delete(name)
    else profile.details.attributes.set(name, value)
  }
  if (isRecord(relationships))
    relate(profile, relationships.relationships, relationships.action === 'delete_relationships')
  else relate(profile, relationships, false)
}

function addDevice(profile: Profile, record: AppliedOperation): void {
  const device = record.body.device ?? {}
  const token = String(device.token)
  profile.details.devices.set(token, {
    token,
    platform: device.platform as FakeDevice['platform'],
    lastUsed: typeof device.last_used === 'number' ? device.last_used : undefined,
    attributes: isRecord(device.attributes) ? { ...device.attributes } : {},
  })
}

function relate(profile: Profile, relationships: unknown, remove: boolean): void {
  for (const { identifiers, relationship_attributes } of relationshipsOf(relationships)) {
    const key = objectKeyOf(identifiers)
    if (remove) profile.details.relationships.delete(key)
    else profile.details.relationships.set(key, relationship_attributes ?? {})
  }
}

function applyMerge({ people, journal }: FakeState, operation: FakeOperation, arrival: Arrival): void {
  const key = personKeyOf(operation.primary)
  const secondaryKey = personKeyOf(operation.secondary)
  if (people.isSuppressed(key) || people.isSuppressed(secondaryKey)) {
    journal.ignore(operation, key, arrival, 'suppressed')
    return
  }
  const primary = people.find(key)
  const secondary = people.find(secondaryKey)
  if (primary === undefined) {
    journal.ignore(operation, key, arrival, 'merge_primary_missing')
    return
  }
  if (secondary === undefined) {
    journal.ignore(operation, key, arrival, 'merge_secondary_missing')
    return
  }
  if (primary === secondary) {
    journal.ignore(operation, key, arrival, 'merge_same_person')
    return
  }
  const record = journal.apply(operation, key, arrival)
  recordOn(primary, record, journal)
  recordOn(secondary, record, journal)
  people.merge(primary, secondary)
}
