import path from 'node:path'
import type { Plugin } from 'rolldown'
import { catalogFile, SCHEMA_TOKEN } from '../../src/store/drift/catalog-file.ts'
import { migrationFiles } from '../../src/store/migrate/migration-files.ts'

/**
 * Replaces the modules that read a file of the package by modules with its content. So the code works wherever a bundler of
 * an app puts it.
 */
export function embedPackageFiles(root: string, version: string): Plugin {
  const replaced = new Map([
    [path.join(root, 'src/version.ts'), `export const VERSION = ${JSON.stringify(version)}`],
    [
      path.join(root, 'src/store/migrate/migration-files.ts'),
      `const FILES = ${JSON.stringify(migrationFiles())}\nexport const migrationFiles = () => FILES`,
    ],
    [
      path.join(root, 'src/store/drift/catalog-file.ts'),
      `const FILE = ${JSON.stringify(catalogFile())}
export const catalogFile = () => FILE
export const SCHEMA_TOKEN = ${JSON.stringify(SCHEMA_TOKEN)}`,
    ],
  ])
  return { name: 'embed-package-files', load: (id) => replaced.get(id) }
}
