import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

export const EXAMPLES = fileURLToPath(new URL('..', import.meta.url))
export const REPOSITORY = path.resolve(EXAMPLES, '..')

/** A folder of `examples` with a package.json. */
export interface Example {
  readonly name: string
  readonly folder: string
  /** The first command of its README installs, the second starts. */
  readonly commands: readonly [install: string, start: string]
  /** Whether the package has a script `deliver`: a job that delivers the backlog and ends. It then replaces the relay. */
  readonly hasDeliverJob: boolean
}

export async function findExamples(): Promise<Example[]> {
  const entries = await readdir(EXAMPLES, { withFileTypes: true })
  const names = entries
    .filter((entry) => entry.isDirectory() && existsSync(path.join(EXAMPLES, entry.name, 'package.json')))
    .map(({ name }) => name)
  return Promise.all(names.sort().map(readExample))
}

async function readExample(name: string): Promise<Example> {
  const folder = path.join(EXAMPLES, name)
  const readme = await readFile(path.join(folder, 'README.md'), 'utf8')
  const { scripts = {} } = JSON.parse(await readFile(path.join(folder, 'package.json'), 'utf8'))
  const [, block = ''] = readme.match(/^```bash\n(.*?)^```/ms) ?? []
  const commands = block.trim().split('\n')
  const [install, start] = commands
  if (!install || !start || commands.length !== 2) {
    throw new Error(
      `Expected two commands in the first bash block of examples/${name}/README.md, got ${commands.length}`,
    )
  }
  return { name, folder, commands: [install, start], hasDeliverJob: 'deliver' in scripts }
}

/** Why the example cannot run on this machine. Undefined if it can. */
export async function reasonToSkip({ folder }: Example): Promise<string | undefined> {
  if (!existsSync(path.join(folder, 'requirements.txt'))) return undefined
  const { status } = spawnSync('python3', ['-c', 'import ensurepip, venv'], { stdio: 'ignore' })
  return status === 0 ? undefined : 'python3 with the modules venv and ensurepip is not installed'
}
