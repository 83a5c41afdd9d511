import {
  checkAttributes,
  checkDevice,
  checkDeviceToken,
  checkEventName,
  checkRelationships,
  checkTimestamp,
  checkUlid,
} from './check-fields.ts'
import {
  checkAnonymousIdentifiers,
  checkEventIdentifiers,
  checkMergeIdentifiers,
  checkObjectIdentifiers,
  checkPersonIdentifiers,
} from './check-identifiers.ts'
import { type FakeOperation, invalid, isRecord, type Refusal, required } from '../model/operation.ts'

const deliveryMetrics = new Set<unknown>(['opened', 'converted', 'delivered'])

/** Checks the published shape of one operation in v2 form, but not its size: the limits of v1 and v2 differ. */
export function checkOperation(operation: unknown): Refusal | undefined {
  if (!isRecord(operation)) return invalid('', 'an operation must be an object')
  const { type, action } = operation
  if (type === undefined) return required('type')
  if (type !== 'person' && type !== 'object' && type !== 'delivery')
    return invalid('type', 'must be person, object or delivery')
  if (action === undefined) return required('action')
  if (type === 'person') return checkPerson(operation)
  if (type === 'object') return checkObject(operation)
  return checkDelivery(operation)
}

function checkPerson(operation: FakeOperation): Refusal | undefined {
  switch (operation.action) {
    case 'event':
    case 'page':
    case 'screen':
      return checkEventIdentifiers(operation.identifiers, 'identifiers') ?? checkEvent(operation)
    case 'identify':
      return checkPersonIdentifiers(operation.identifiers, 'identifiers') ?? checkIdentify(operation)
    case 'delete':
    case 'suppress':
    case 'unsuppress':
      return checkPersonIdentifiers(operation.identifiers, 'identifiers')
    case 'add_device':
      return checkPersonIdentifiers(operation.identifiers, 'identifiers') ?? checkDevice(operation.device)
    case 'delete_device':
      return (
        checkPersonIdentifiers(operation.identifiers, 'identifiers') ?? checkDeviceToken(operation.device)
      )
    case 'add_relationships':
    case 'delete_relationships':
      return (
        checkPersonIdentifiers(operation.identifiers, 'identifiers') ??
        checkRequiredRelationships(operation, checkObjectIdentifiers)
      )
    case 'merge':
      return checkMerge(operation)
    default:
      return invalid('action', 'is not an action of a person')
  }
}

function checkEvent(operation: FakeOperation): Refusal | undefined {
  if (operation.attributes !== undefined && !isRecord(operation.attributes))
    return invalid('attributes', 'must be an object')
  return (
    checkEventName(operation.name) ??
    checkUlid(operation.id, 'id') ??
    checkTimestamp(operation.timestamp, 'timestamp')
  )
}

function checkIdentify(operation: FakeOperation): Refusal | undefined {
  const refusal =
    checkAttributes(operation.attributes, 'attributes') ?? checkTimestamp(operation.timestamp, 'timestamp')
  if (refusal !== undefined) return refusal
  const update = operation.attributes?._update
  if (update !== undefined && typeof update !== 'boolean')
    return invalid('attributes._update', 'must be a boolean')
  const { cio_relationships: relationships } = operation
  if (relationships === undefined) return undefined
  if (!isRecord(relationships)) return checkRelationships(relationships, checkObjectIdentifiers)
  // The v1 form is an object: { action, relationships }.
  if (relationships.action !== 'add_relationships' && relationships.action !== 'delete_relationships')
    return invalid('cio_relationships.action', 'must be add_relationships or delete_relationships')
  return checkRelationships(relationships.relationships, checkObjectIdentifiers)
}

function checkMerge(operation: FakeOperation): Refusal | undefined {
  if (operation.identifiers !== undefined)
    return invalid('identifiers', 'a merge takes primary and secondary')
  return (
    checkMergeIdentifiers(operation.primary, 'primary') ??
    checkMergeIdentifiers(operation.secondary, 'secondary')
  )
}

function checkObject(operation: FakeOperation): Refusal | undefined {
  const refusal = checkObjectIdentifiers(operation.identifiers, 'identifiers')
  if (refusal !== undefined) return refusal
  switch (operation.action) {
    case 'identify':
      return checkObjectIdentify(operation, checkMergeIdentifiers)
    case 'identify_anonymous':
      return checkObjectIdentify(operation, checkAnonymousIdentifiers)
    case 'delete':
      return undefined
    case 'add_relationships':
    case 'delete_relationships':
      return checkRequiredRelationships(operation, checkMergeIdentifiers)
    default:
      return invalid('action', 'is not an action of an object')
  }
}

type CheckIdentifiers = (identifiers: unknown, field: string) => Refusal | undefined

function checkObjectIdentify(
  operation: FakeOperation,
  checkIdentifiers: CheckIdentifiers,
): Refusal | undefined {
  const refusal = checkAttributes(operation.attributes, 'attributes')
  if (refusal !== undefined) return refusal
  if (operation.cio_relationships === undefined) return undefined
  return checkRelationships(operation.cio_relationships, checkIdentifiers)
}

function checkRequiredRelationships(
  operation: FakeOperation,
  checkIdentifiers: CheckIdentifiers,
): Refusal | undefined {
  if (operation.cio_relationships === undefined) return required('cio_relationships')
  return checkRelationships(operation.cio_relationships, checkIdentifiers)
}

/** v2 requires `device_token`. v1's `/push/events` does not, so the translation to v2 form adds an empty one. */
function checkDelivery(operation: FakeOperation): Refusal | undefined {
  if (operation.action !== 'event') return invalid('action', 'of a delivery must be event')
  if (!isRecord(operation.identifiers)) return required('identifiers')
  const { id } = operation.identifiers
  if (typeof id !== 'string' || id === '') return invalid('identifiers.id', 'must be the id of a delivery')
  if (!deliveryMetrics.has(operation.name)) return invalid('name', 'must be opened, converted or delivered')
  if (!isRecord(operation.attributes)) return required('attributes')
  if (typeof operation.attributes.device_token !== 'string') return required('attributes.device_token')
  return checkTimestamp(operation.timestamp, 'timestamp')
}
