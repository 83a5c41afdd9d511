import type { CatalogObject } from './catalog-object.ts'
import { isSettingBody } from './setting-functions.ts'

/** A difference between the database and what the migrations make. */
export type Drift =
  | { readonly change: 'missing'; readonly expected: CatalogObject }
  | { readonly change: 'unexpected'; readonly found: CatalogObject }
  | { readonly change: 'changed'; readonly expected: CatalogObject; readonly found: CatalogObject }

/**
 * Compares the objects of a schema with the expected ones. If a table is missing or unexpected, its columns, constraints,
 * indexes and triggers are not listed too.
 *
 * @param schema Name of the schema in both lists.
 */
export function findDrift(
  expected: readonly CatalogObject[],
  found: readonly CatalogObject[],
  schema: string,
): Drift[] {
  const before = byKey(expected)
  const after = byKey(found)
  const tables = { before: tablesOf(expected), after: tablesOf(found) }
  const drifts: Drift[] = []
  for (const [key, one] of before) {
    const other = after.get(key)
    if (other) {
      if (!isSame(one, other, schema)) drifts.push({ change: 'changed', expected: one, found: other })
    } else if (isPresent(one, tables.after)) drifts.push({ change: 'missing', expected: one })
  }
  for (const [key, one] of after) {
    if (!before.has(key) && isPresent(one, tables.before)) drifts.push({ change: 'unexpected', found: one })
  }
  return drifts
}

function byKey(objects: readonly CatalogObject[]): Map<string, CatalogObject> {
  // A type in the signature of a function has quotes if its schema has the name of a keyword.
  return new Map(objects.map((one) => [`${one.kind} ${one.name.replaceAll('"', '')}`, one]))
}

function tablesOf(objects: readonly CatalogObject[]): ReadonlySet<string> {
  return new Set(objects.filter(({ kind }) => kind === 'table').map(({ name }) => name))
}

/** Whether the table that the object belongs to is one of `tables`. True for an object of no table. */
function isPresent(object: CatalogObject, tables: ReadonlySet<string>): boolean {
  const table = tableOf(object)
  return table === undefined || tables.has(table)
}

/** The table that an object belongs to. */
export function tableOf({ kind, name }: CatalogObject): string | undefined {
  if (kind === 'column') return name.slice(0, name.indexOf('.'))
  if (kind === 'constraint' || kind === 'index' || kind === 'trigger') return name.split(' on ')[1]
  return undefined
}

function isSame(expected: CatalogObject, found: CatalogObject, schema: string): boolean {
  if (normalize(expected.definition, schema) !== normalize(found.definition, schema)) return false
  return expected.body === found.body || isSettingBody(expected.name, found.body, schema)
}

/**
 * PostgreSQL 14 and 15 write `table.column` in a view of one table, where later versions write `column`. So qualifiers are
 * removed. `@` keeps the schema of a table, which may have the name of a table. Quotes are removed, because the schema may
 * have the name of a keyword.
 */
function normalize(definition: string, schema: string): string {
  return definition
    .replaceAll('"', '')
    .replace(new RegExp(`\\b(FROM|JOIN) (\\(*)${schema}\\.`, 'g'), '$1 $2@')
    .replace(/\b[a-z_]\w*\./g, '')
    .replace(/\s+/g, ' ')
    .trim()
}
