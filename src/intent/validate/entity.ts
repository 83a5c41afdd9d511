import { checkAttributes, checkRelationships } from './attributes.ts'
import { isPlainObject, kindOf } from '../describe.ts'
import { fail, type ErrorContext } from '../errors.ts'
import { MAX_EVENT_NAME_BYTES } from '../limits.ts'
import { checkIdentifiers, checkTextId, MERGE_KINDS, PERSON_KINDS } from './person.ts'
import { checkBytes, checkNotBlank, isUlid } from './text.ts'
import { checkTimestamp } from './timestamp.ts'

const TYPES = ['person', 'object', 'delivery']
const EVENT_ACTIONS: readonly unknown[] = ['event', 'page', 'screen']
/** Accepts `anonymous_id`, which is not documented for v2: other clients send it, and an entity is sent unchanged. */
const ENTITY_PERSON_KINDS = [...PERSON_KINDS, 'anonymous_id']

type Fields = Record<string, unknown>

/** Checks the limits and the identifiers of a v2 operation. All other fields are sent unchanged; the checks of JSON and of size apply to them too. */
export function checkEntity(context: ErrorContext, entity: Fields): void {
  if (typeof entity.type !== 'string' || !TYPES.includes(entity.type)) {
    fail(context, 'entity.type', `must be one of ${TYPES.join(', ')}`)
  }
  if (typeof entity.action !== 'string') {
    fail(context, 'entity.action', `must be a string, got ${kindOf(entity.action)}`)
  }
  checkNotBlank(context, 'entity.action', entity.action)

  if (entity.type === 'person') checkPersonEntity(context, entity)
  else checkOtherEntity(context, entity)
  checkTimestamp(context, 'entity.timestamp', entity.timestamp)
  if (entity.attributes !== undefined) checkEntityAttributes(context, entity, entity.attributes)
  checkRelationships(context, 'entity.cio_relationships', entity.cio_relationships)
}

function checkPersonEntity(context: ErrorContext, entity: Fields): void {
  if (entity.action === 'merge') {
    checkMerge(context, entity, 'entity.')
    return
  }
  checkIdentifiers(context, 'entity.identifiers', entity.identifiers, ENTITY_PERSON_KINDS)
  checkStringId(context, 'entity.identifiers.id', entity.identifiers)
  if (EVENT_ACTIONS.includes(entity.action)) checkEvent(context, entity)
}

function checkEvent(context: ErrorContext, { name, id }: Fields): void {
  if (typeof name !== 'string') fail(context, 'entity.name', `must be a string, got ${kindOf(name)}`)
  checkNotBlank(context, 'entity.name', name)
  checkBytes(context, 'entity.name', name, MAX_EVENT_NAME_BYTES)
  if (id !== undefined && !isUlid(id)) {
    fail(context, 'entity.id', 'must be a ULID, unique to the event: leave it out, and the outbox makes one')
  }
}

function checkOtherEntity(context: ErrorContext, { type, identifiers }: Fields): void {
  if (!isPlainObject(identifiers)) {
    fail(context, 'entity.identifiers', `must be an object, got ${kindOf(identifiers)}`)
  }
  const names =
    type === 'delivery'
      ? ['id']
      : identifiers.cio_object_id === undefined
        ? ['object_type_id', 'object_id']
        : ['cio_object_id']
  for (const name of names) checkTextId(context, `entity.identifiers.${name}`, identifiers[name])
}

function checkEntityAttributes(context: ErrorContext, { type, action }: Fields, attributes: unknown): void {
  if (!isPlainObject(attributes)) {
    fail(context, 'entity.attributes', `must be an object, got ${kindOf(attributes)}`)
  }
  const areStored = action === 'identify' || (type === 'object' && action === 'identify_anonymous')
  if (areStored) checkAttributes(context, 'entity.attributes', attributes)
}

/** Checks that a merge names two different people. */
export function checkMerge(context: ErrorContext, { primary, secondary }: Fields, prefix = ''): void {
  checkIdentifiers(context, `${prefix}primary`, primary, MERGE_KINDS)
  checkIdentifiers(context, `${prefix}secondary`, secondary, MERGE_KINDS)
  if (prefix !== '') {
    checkStringId(context, `${prefix}primary.id`, primary)
    checkStringId(context, `${prefix}secondary.id`, secondary)
  }
  const [kind, value] = soleEntry(primary)
  const [otherKind, otherValue] = soleEntry(secondary)
  if (kind === otherKind && value === otherValue) {
    fail(context, `${prefix}secondary`, 'is the same person as primary: a merge takes two people')
  }
}

function soleEntry(identifiers: unknown): [string, string] {
  const entries = Object.entries(identifiers as Fields).filter(([, value]) => value !== undefined)
  const [kind = '', value] = entries[0] ?? []
  return [kind, String(value)]
}

/**
 * An entity is sent unchanged, so its id must have the type that Customer.io takes: "id attribute must be a string
 * value".
 */
function checkStringId(context: ErrorContext, field: string, identifiers: unknown): void {
  if (typeof (identifiers as Fields).id === 'number') fail(context, field, 'must be a string, got number')
}
