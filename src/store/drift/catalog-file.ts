import { readFileSync } from 'node:fs'
import path from 'node:path'
import { MIGRATIONS_FOLDER } from '../migrate/migration-files.ts'
import type { CatalogObject } from './catalog-object.ts'

export const CATALOG_FILE = path.join(MIGRATIONS_FOLDER, 'catalog.json')

/** Stands for the schema's name in `CATALOG_FILE`. */
export const SCHEMA_TOKEN = '{schema}'

/**
 * Every object that this version's migrations make, on PostgreSQL 18. `npm run schema:dump` writes the file. The build
 * (`scripts/build.ts`) replaces this function by its content.
 */
export function catalogFile(): readonly CatalogObject[] {
  return JSON.parse(readFileSync(CATALOG_FILE, 'utf8'))
}
