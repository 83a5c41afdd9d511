/** `npm run bench` at the root: installs what only the benchmark needs, where it is missing, and runs it. */
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const FOLDER = fileURLToPath(new URL('.', import.meta.url))

if (!existsSync(`${FOLDER}node_modules/.package-lock.json`)) {
  process.stderr.write(
    "bench: the peers are not the project's dependencies, installing them: npm ci --prefix bench\n",
  )
  const { status } = spawnSync('npm', ['ci', '--prefix', FOLDER, '--no-audit', '--no-fund'], {
    stdio: ['ignore', 'inherit', 'inherit'],
    shell: process.platform === 'win32',
  })
  if (status !== 0) process.exit(status ?? 1)
}
await import('./run.ts')
