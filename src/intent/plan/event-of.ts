import { isPlainObject, join } from '../describe.ts'

/** Where an operation has the name of an event and its data. */
interface Place {
  /** The field with the object that has them. Absent: the intent itself. */
  readonly within?: 'message' | 'entity'
  readonly name: string
  readonly data: string
}

const PLACES: Readonly<Record<string, Place>> = {
  track: { name: 'name', data: 'data' },
  trackAnonymous: { name: 'name', data: 'data' },
  'pipelines.track': { within: 'message', name: 'event', data: 'properties' },
  entity: { within: 'entity', name: 'name', data: 'attributes' },
}

/** The event of an intent. */
export interface PlannableEvent {
  readonly intent: Record<string, unknown>
  readonly operation: string
  readonly name: string
  /** Path of the name in the intent: `name`, `message.event`. */
  readonly nameField: string
  readonly data: unknown
  /** Path of the data in the intent: `data`, `message.properties`. */
  readonly dataField: string
  /** A copy of the intent with other data. */
  withData(data: unknown): Record<string, unknown>
}

/**
 * The event that an intent records, by any operation. Undefined if it records none, or if its shape is wrong: the checks of
 * the intent refuse it then. The SQL function `check_event` has the same mapping.
 */
export function eventOf(intent: unknown): PlannableEvent | undefined {
  if (!isPlainObject(intent)) return undefined
  const { operation } = intent
  if (typeof operation !== 'string' || !Object.hasOwn(PLACES, operation)) return undefined
  const { within, name: nameKey, data: dataKey } = PLACES[operation] as Place
  const holder = within === undefined ? intent : intent[within]
  if (!isPlainObject(holder)) return undefined
  if (operation === 'entity' && (holder.type !== 'person' || holder.action !== 'event')) return undefined
  const name = holder[nameKey]
  if (typeof name !== 'string') return undefined
  return {
    intent,
    operation,
    name,
    nameField: join(within ?? '', nameKey),
    data: holder[dataKey],
    dataField: join(within ?? '', dataKey),
    withData: (data) =>
      within === undefined
        ? { ...intent, [dataKey]: data }
        : { ...intent, [within]: { ...holder, [dataKey]: data } },
  }
}
