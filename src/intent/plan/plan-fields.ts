import { isPlainObject } from '../describe.ts'
import type { EventSchema } from './event-schema.ts'
import type { Schemas } from './plan.ts'

/** The fields of an event's data, and its JSON Schema. Null if the library cannot give them. */
export interface EventFields {
  readonly name: string
  readonly required: readonly string[] | null
  readonly optional: readonly string[] | null
  readonly jsonSchema: Readonly<Record<string, unknown>> | null
}

/** Lists the fields that an app gives for each event of a plan, in the plan's order. */
export function fieldsOf(schemas: Schemas): EventFields[] {
  return [...schemas].map(([name, schema]) => {
    const jsonSchema = jsonSchemaOf(schema)
    const fields = jsonSchema && readFields(jsonSchema, jsonSchema, 0)
    if (!fields) return { name, required: null, optional: null, jsonSchema }
    const optional = [...fields.known].filter((field) => !fields.required.has(field))
    return { name, required: [...fields.required], optional, jsonSchema }
  })
}

/** Without these options, one type that JSON Schema does not have, such as a date, makes the libraries throw. */
const LENIENT: Readonly<Record<string, Record<string, unknown>>> = {
  zod: { unrepresentable: 'any' },
  valibot: { errorMode: 'ignore' },
}

function jsonSchemaOf({ '~standard': standard }: EventSchema): Record<string, unknown> | null {
  try {
    const libraryOptions = LENIENT[standard.vendor]
    return (
      standard.jsonSchema?.input({
        target: 'draft-2020-12',
        ...(libraryOptions && { libraryOptions }),
      }) ?? null
    )
  } catch {
    return null
  }
}

interface Fields {
  readonly required: ReadonlySet<string>
  readonly known: ReadonlySet<string>
}

/** Levels of `$ref`, `anyOf`, … that are followed. */
const MAX_LEVELS = 10

/** Reads the fields of an object's schema. Undefined if it does not say them. */
function readFields(root: Record<string, unknown>, schema: unknown, level: number): Fields | undefined {
  if (!isPlainObject(schema) || level > MAX_LEVELS) return undefined
  const { $ref, properties, required, anyOf, oneOf, allOf } = schema
  if (typeof $ref === 'string') {
    const [, name = ''] = /^#\/\$defs\/([^/]+)$/.exec($ref) ?? []
    return readFields(root, isPlainObject(root.$defs) ? root.$defs[name] : undefined, level + 1)
  }
  const read = (list: unknown) =>
    Array.isArray(list) ? list.map((each) => readFields(root, each, level + 1)) : []
  const parts = read(allOf)
  for (const choices of [read(anyOf), read(oneOf)]) if (choices.length > 0) parts.push(eitherOf(choices))
  if (isPlainObject(properties)) {
    const names = Array.isArray(required) ? required.filter((name) => typeof name === 'string') : []
    parts.push({ required: new Set(names), known: new Set([...names, ...Object.keys(properties)]) })
  } else if (parts.length === 0 && schema.type === 'object') {
    parts.push({ required: new Set(), known: new Set() })
  }
  if (parts.length === 0 || parts.includes(undefined)) return undefined
  const all = parts as Fields[]
  return {
    required: new Set(all.flatMap((part) => [...part.required])),
    known: new Set(all.flatMap((part) => [...part.known])),
  }
}

/** A field is required if every choice requires it. */
function eitherOf(choices: readonly (Fields | undefined)[]): Fields | undefined {
  if (choices.includes(undefined)) return undefined
  const all = choices as readonly Fields[]
  const [first] = all
  return {
    required: new Set(
      [...(first?.required ?? [])].filter((name) => all.every((each) => each.required.has(name))),
    ),
    known: new Set(all.flatMap((each) => [...each.known])),
  }
}
