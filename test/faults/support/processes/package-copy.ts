import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import type { migrate } from '../../../../src/relay.ts'

const ROOT = fileURLToPath(new URL('../../../..', import.meta.url))

/** A copy of this package with additional migrations. It plays a newer version. */
export interface PackageCopy {
  /** Its command line, for `startCli`. */
  readonly main: string
  readonly migrate: typeof migrate
  remove(): Promise<void>
}

/** @param statements The SQL of each additional migration. Objects are written as `"outbox".name`. */
export async function copyWithMigrations(statements: readonly string[]): Promise<PackageCopy> {
  const folder = await mkdtemp(path.join(tmpdir(), 'customerio-outbox-newer-'))
  for (const part of ['src', 'migrations', 'package.json'])
    await cp(path.join(ROOT, part), path.join(folder, part), { recursive: true })
  await symlink(path.join(ROOT, 'node_modules'), path.join(folder, 'node_modules'))
  const journalFile = path.join(folder, 'migrations', 'meta', '_journal.json')
  const journal = JSON.parse(await readFile(journalFile, 'utf8'))
  for (const statement of statements) {
    const idx = journal.entries.length
    const last = journal.entries.at(-1)
    const tag = `${String(idx).padStart(4, '0')}_newer`
    journal.entries.push({ ...last, idx, when: last.when + 1, tag })
    await writeFile(path.join(folder, 'migrations', `${tag}.sql`), statement)
  }
  await writeFile(journalFile, JSON.stringify(journal))
  const copy: { migrate: typeof migrate } = await import(path.join(folder, 'src', 'relay.ts'))
  return {
    main: path.join(folder, 'src', 'cli', 'main.ts'),
    migrate: copy.migrate,
    remove: () => rm(folder, { recursive: true, force: true }),
  }
}
