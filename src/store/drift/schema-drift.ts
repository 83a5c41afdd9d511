import { catalogFile, SCHEMA_TOKEN } from './catalog-file.ts'
import type { CatalogObject } from './catalog-object.ts'
import type { Names } from '../names.ts'
import { type Drift, findDrift } from './find-drift.ts'
import { type Query, readCatalog } from './read-catalog.ts'

/** The differences between the outbox's schema and what this version's migrations make. Every user may see them. */
export async function schemaDrift(query: Query, { schema }: Names): Promise<Drift[]> {
  const found = await readCatalog(query, schema)
  return findDrift(expectedCatalog(schema), found, schema)
}

function expectedCatalog(schema: string): CatalogObject[] {
  const named = (text: string) => text.replaceAll(SCHEMA_TOKEN, schema)
  return catalogFile().map(({ kind, name, definition, body }) => ({
    kind,
    name: named(name),
    definition: named(definition),
    body: body && named(body),
  }))
}
