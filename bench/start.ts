/** `npm run bench` at the root: installs the benchmark's own dependencies if missing, builds the project, and runs. */
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { installLibraries } from '../scripts/install-libraries.ts'

const FOLDER = fileURLToPath(new URL('.', import.meta.url))

if (!existsSync(`${FOLDER}node_modules/.package-lock.json`)) {
  process.stderr.write(
    'bench: installing the peers, which are not dependencies of the project: npm ci --prefix bench\n',
  )
  npm('ci', '--prefix', FOLDER, '--no-audit', '--no-fund')
}
if (!installLibraries()) process.exit(1)
// Measure the built relay, as it is published: running the sources costs the time and memory of type stripping.
npm('run', '--silent', 'build', '--prefix', `${FOLDER}..`)
await import('./run.ts')

function npm(...args: string[]): void {
  const { status } = spawnSync('npm', args, {
    stdio: ['ignore', 'inherit', 'inherit'],
    shell: process.platform === 'win32',
  })
  if (status !== 0) process.exit(status ?? 1)
}
