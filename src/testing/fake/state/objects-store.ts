import { type AppliedOperation, type FakeOperation, isRecord } from '../model/operation.ts'
import { personKeyOf } from './people-store.ts'

/** A custom object (a company, a course) after all operations applied to it. */
export interface FakeObject {
  readonly attributes: Readonly<Record<string, unknown>>
  /** Attributes of each relationship, by the person's key (`id:42`, `anonymous_id:…`). */
  readonly relationships: Readonly<Record<string, Readonly<Record<string, unknown>>>>
  readonly deleted: boolean
  /** In order of application. Empty with `keepOperations: false`. */
  readonly operations: readonly AppliedOperation[]
}

interface StoredObject {
  readonly attributes: Map<string, unknown>
  readonly relationships: Map<string, Readonly<Record<string, unknown>>>
  readonly operations: AppliedOperation[]
  deleted: boolean
}

/** `object:1/acme` or `object:cio/ob123`. */
export function objectKeyOf(identifiers: Readonly<Record<string, unknown>> | undefined): string {
  if (identifiers?.cio_object_id !== undefined) return `object:cio/${String(identifiers.cio_object_id)}`
  return `object:${String(identifiers?.object_type_id)}/${String(identifiers?.object_id)}`
}

/** The entries `{ identifiers, relationship_attributes }` of a checked operation on a person or an object. */
export function relationshipsOf(value: unknown): Record<string, Record<string, unknown>>[] {
  return Array.isArray(value) ? value : []
}

/** Sets attributes like Customer.io: null or an empty string removes an attribute. */
export function setAttributes(target: Map<string, unknown>, given: unknown): void {
  if (!isRecord(given)) return
  for (const [name, value] of Object.entries(given)) {
    if (value === null || value === '') target.delete(name)
    else target.set(name, value)
  }
}

/** Objects and delivery metrics, by key. */
export class ObjectsStore {
  readonly #objects = new Map<string, StoredObject>()
  readonly #deliveries = new Map<string, AppliedOperation[]>()

  object(key: string): FakeObject | undefined {
    const stored = this.#objects.get(key)
    if (stored === undefined) return undefined
    return {
      attributes: Object.fromEntries(stored.attributes),
      relationships: Object.fromEntries(stored.relationships),
      deleted: stored.deleted,
      operations: [...stored.operations],
    }
  }

  delivery(id: string): readonly AppliedOperation[] {
    return [...(this.#deliveries.get(id) ?? [])]
  }

  applyDelivery(id: string, record: AppliedOperation): void {
    const known = this.#deliveries.get(id)
    if (known === undefined) this.#deliveries.set(id, [record])
    else known.push(record)
  }

  applyObject(operation: FakeOperation, record: AppliedOperation): void {
    const stored = this.#objects.get(record.personKey) ?? newObject()
    this.#objects.set(record.personKey, stored)
    stored.operations.push(record)
    stored.deleted = operation.action === 'delete'
    if (operation.action === 'delete') {
      stored.attributes.clear()
      stored.relationships.clear()
      return
    }
    setAttributes(stored.attributes, operation.attributes)
    if (typeof operation.anonymous_id === 'string')
      stored.relationships.set(`anonymous_id:${operation.anonymous_id}`, {})
    for (const { identifiers, relationship_attributes } of relationshipsOf(operation.cio_relationships)) {
      const personKey = personKeyOf(identifiers)
      if (operation.action === 'delete_relationships') stored.relationships.delete(personKey)
      else stored.relationships.set(personKey, relationship_attributes ?? {})
    }
  }
}

function newObject(): StoredObject {
  return { attributes: new Map(), relationships: new Map(), operations: [], deleted: false }
}
