/** `npm run bench` at the root: installs what only the benchmark needs, where it is missing, builds what is measured, and runs. */
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const FOLDER = fileURLToPath(new URL('.', import.meta.url))

if (!existsSync(`${FOLDER}node_modules/.package-lock.json`)) {
  process.stderr.write(
    "bench: the peers are not the project's dependencies, installing them: npm ci --prefix bench\n",
  )
  npm('ci', '--prefix', FOLDER, '--no-audit', '--no-fund')
}
// The relay is measured as it is published: without the types that Node would strip from the sources, and their memory.
npm('run', '--silent', 'build', '--prefix', `${FOLDER}..`)
await import('./run.ts')

function npm(...args: string[]): void {
  const { status } = spawnSync('npm', args, {
    stdio: ['ignore', 'inherit', 'inherit'],
    shell: process.platform === 'win32',
  })
  if (status !== 0) process.exit(status ?? 1)
}
