import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readdir, realpath, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)
export const ROOT = path.join(import.meta.dirname, '../..')

/** A folder outside the repository in which the packed package is installed, as in an app. */
export interface InstalledPackage extends AsyncDisposable {
  /** The folder of the app. */
  readonly app: string
  /** The folder of the package in the app's `node_modules`. */
  readonly folder: string
  /** The file that `npm publish` would upload. */
  readonly tarball: string
}

/**
 * Packs `dist`, which must be built, and installs it without a registry: the dependencies, and what an app of the tests has
 * besides, are links to those of the repository.
 */
export async function installPackage(): Promise<InstalledPackage> {
  const app = await realpath(await mkdtemp(path.join(tmpdir(), 'customerio-outbox-app-')))
  await run('npm', ['pack', '--ignore-scripts', '--pack-destination', app], { cwd: ROOT })
  const [tarball = ''] = (await readdir(app)).filter((file) => file.endsWith('.tgz'))
  const folder = path.join(app, 'node_modules/customerio-outbox')
  await mkdir(folder, { recursive: true })
  await run('tar', ['-xzf', path.join(app, tarball), '--strip-components=1', '-C', folder])
  for (const name of await readdir(path.join(ROOT, 'node_modules'))) {
    if (name.startsWith('.')) continue
    await symlink(path.join(ROOT, 'node_modules', name), path.join(app, 'node_modules', name))
  }
  await writeFile(path.join(app, 'package.json'), '{ "private": true }\n')
  return {
    app,
    folder,
    tarball: path.join(app, tarball),
    [Symbol.asyncDispose]: () => rm(app, { recursive: true, force: true }),
  }
}
