import { isValid as isUlid } from 'ulid'
import { checkAttributes, checkRelationships } from './attributes.ts'
import { isPlainObject, kindOf } from '../describe.ts'
import { refuse, type Subject } from '../errors.ts'
import { MAX_EVENT_NAME_BYTES } from '../limits.ts'
import { checkIdentifiers, checkTextId, MERGE_KINDS, PERSON_KINDS } from './person.ts'
import { checkBytes, checkNotBlank } from './text.ts'
import { checkTimestamp } from './timestamp.ts'

const TYPES = ['person', 'object', 'delivery']
const EVENT_ACTIONS: readonly unknown[] = ['event', 'page', 'screen']
/** The last is not documented for v2; other clients send it, and an entity goes as it stands. */
const ENTITY_PERSON_KINDS = [...PERSON_KINDS, 'anonymous_id']

type Fields = Record<string, unknown>

/** Refuses a v2 operation that is past a limit or names nobody. Everything else in it goes as it stands. */
export function checkEntity(subject: Subject, entity: Fields): void {
  if (typeof entity.type !== 'string' || !TYPES.includes(entity.type)) {
    refuse(subject, 'entity.type', `must be one of ${TYPES.join(', ')}`)
  }
  if (typeof entity.action !== 'string') {
    refuse(subject, 'entity.action', `must be a string, got ${kindOf(entity.action)}`)
  }
  checkNotBlank(subject, 'entity.action', entity.action)

  if (entity.type === 'person') checkPersonEntity(subject, entity)
  else checkOtherEntity(subject, entity)
  checkTimestamp(subject, 'entity.timestamp', entity.timestamp)
  if (entity.attributes !== undefined) checkEntityAttributes(subject, entity, entity.attributes)
  checkRelationships(subject, 'entity.cio_relationships', entity.cio_relationships)
}

function checkPersonEntity(subject: Subject, entity: Fields): void {
  if (entity.action === 'merge') {
    checkMerge(subject, entity, 'entity.')
    return
  }
  checkIdentifiers(subject, 'entity.identifiers', entity.identifiers, ENTITY_PERSON_KINDS)
  checkStringId(subject, 'entity.identifiers.id', entity.identifiers)
  if (EVENT_ACTIONS.includes(entity.action)) checkEvent(subject, entity)
}

function checkEvent(subject: Subject, { name, id }: Fields): void {
  if (typeof name !== 'string') refuse(subject, 'entity.name', `must be a string, got ${kindOf(name)}`)
  checkNotBlank(subject, 'entity.name', name)
  checkBytes(subject, 'entity.name', name, MAX_EVENT_NAME_BYTES)
  if (id !== undefined && !(typeof id === 'string' && isUlid(id))) {
    refuse(
      subject,
      'entity.id',
      'must be a ULID, unique to the event: leave it out, and the outbox makes one',
    )
  }
}

function checkOtherEntity(subject: Subject, { type, identifiers }: Fields): void {
  if (!isPlainObject(identifiers)) {
    refuse(subject, 'entity.identifiers', `must be an object, got ${kindOf(identifiers)}`)
  }
  const names =
    type === 'delivery'
      ? ['id']
      : identifiers.cio_object_id === undefined
        ? ['object_type_id', 'object_id']
        : ['cio_object_id']
  for (const name of names) checkTextId(subject, `entity.identifiers.${name}`, identifiers[name])
}

function checkEntityAttributes(subject: Subject, { type, action }: Fields, attributes: unknown): void {
  if (!isPlainObject(attributes)) {
    refuse(subject, 'entity.attributes', `must be an object, got ${kindOf(attributes)}`)
  }
  const areStored = action === 'identify' || (type === 'object' && action === 'identify_anonymous')
  if (areStored) checkAttributes(subject, 'entity.attributes', attributes)
}

/** Refuses a merge that does not name two different people. */
export function checkMerge(subject: Subject, { primary, secondary }: Fields, prefix = ''): void {
  checkIdentifiers(subject, `${prefix}primary`, primary, MERGE_KINDS)
  checkIdentifiers(subject, `${prefix}secondary`, secondary, MERGE_KINDS)
  if (prefix !== '') {
    checkStringId(subject, `${prefix}primary.id`, primary)
    checkStringId(subject, `${prefix}secondary.id`, secondary)
  }
  const [kind, value] = soleEntry(primary)
  const [otherKind, otherValue] = soleEntry(secondary)
  if (kind === otherKind && value === otherValue) {
    refuse(subject, `${prefix}secondary`, 'is the same person as primary: a merge takes two people')
  }
}

function soleEntry(identifiers: unknown): [string, string] {
  const entries = Object.entries(identifiers as Fields).filter(([, value]) => value !== undefined)
  const [kind = '', value] = entries[0] ?? []
  return [kind, String(value)]
}

/**
 * An entity goes as it stands, so its id must be what Customer.io takes: "id attribute must be a string
 * value".
 */
function checkStringId(subject: Subject, field: string, identifiers: unknown): void {
  if (typeof (identifiers as Fields).id === 'number') refuse(subject, field, 'must be a string, got number')
}
