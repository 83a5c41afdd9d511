import type { EntityIntent, Intent } from './intent.ts'

/**
 * The key within which intents are delivered in order, unless the caller gives another: the person's
 * identifier as text, whatever its kind. A merge has its primary's, an entity its own identifier (an object
 * `<object_type_id>/<object_id>`), and what has none its type. The SQL function `ordering_key_of` says the
 * same.
 */
export function orderingKey(intent: Intent): string {
  switch (intent.operation) {
    case 'mergeCustomers':
      return soleValue(intent.primary) ?? intent.operation
    case 'entity':
      return entityKey(intent.entity)
    default:
      return intent.customerId === undefined
        ? (soleValue(intent.identifiers) ?? intent.operation)
        : String(intent.customerId)
  }
}

function entityKey(entity: EntityIntent['entity']): string {
  if (entity.action === 'merge') return soleValue(entity.primary) ?? entity.type
  const { cio_object_id: cioId, object_type_id: type, object_id: id } = asRecord(entity.identifiers)
  if (!isScalar(cioId) && isScalar(type) && isScalar(id)) return `${type}/${id}`
  return isScalar(cioId) ? String(cioId) : (soleValue(entity.identifiers) ?? entity.type)
}

function soleValue(identifiers: unknown): string | undefined {
  const value = Object.values(asRecord(identifiers)).find(isScalar)
  return value === undefined ? undefined : String(value)
}

function asRecord(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
}

function isScalar(value: unknown): value is string | number {
  return typeof value === 'string' || typeof value === 'number'
}
