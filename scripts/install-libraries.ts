/**
 * Installs the libraries of the contract suite (`test/libraries`), unless they are installed already. They are a package of
 * their own, because they are larger than all other dependencies together. `npm test` and `npm run types` run this script.
 */
import { spawnSync } from 'node:child_process'
import { statSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

const FOLDER = fileURLToPath(new URL('../test/libraries', import.meta.url))

/** @returns Whether the libraries are installed. If not, a line on stderr says why. */
export function installLibraries(): boolean {
  const lockedAt = modifiedAt('package-lock.json') ?? 0
  const installedAt = modifiedAt('node_modules/.package-lock.json') // npm writes it last
  if (installedAt !== undefined && installedAt >= lockedAt) return true
  process.stderr.write('installing the libraries of test/libraries, once\n')
  const { status, stderr, error } = spawnSync(
    'npm',
    ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--prefix', FOLDER],
    { cwd: FOLDER, encoding: 'utf8', shell: process.platform === 'win32' },
  )
  if (status === 0) return true
  process.stderr.write(`npm ci in test/libraries failed, its tests will fail: ${error?.message ?? stderr}\n`)
  return false
}

function modifiedAt(name: string): number | undefined {
  return statSync(path.join(FOLDER, name), { throwIfNoEntry: false })?.mtimeMs
}

if (import.meta.main) process.exitCode = installLibraries() ? 0 : 1
