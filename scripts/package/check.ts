/**
 * Judges the package as `npm publish` would upload it: `npm run package:check`.
 *
 * - publint and @arethetypeswrong/cli, without an ignored rule
 * - the types, compiled with every way of resolving modules, by TypeScript 5.9: it is the last that knows `node10`
 * - bytes, time and memory of the app's side
 *
 * The tools have their own `package.json` beside this file, because they take 60 MB. The first run installs them.
 */
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import path from 'node:path'
import { compileTypes } from './compile-types.ts'
import { type InstalledPackage, installPackage, ROOT } from './install-package.ts'
import { bundleAppSide, measureLoads } from './measure-app-side.ts'

const MODULES = path.join(import.meta.dirname, 'node_modules')

/** Of the app's side. The times and sizes of `pg` come from the same run. */
const MOST = { bytes: 40_000, timesPg: 1 }

if (!existsSync(path.join(MODULES, '.package-lock.json'))) {
  run('npm', ['ci', '--prefix', import.meta.dirname, '--no-audit', '--no-fund'])
}
run('npm', ['run', '--silent', 'build'])
await using installed = await installPackage()
runTool('publint', ['run', installed.tarball, '--strict'])
runTool('attw', [installed.tarball])
await checkTypes(installed)
await checkAppSide(installed)
if (!process.exitCode) console.log('the package is as it should be')

async function checkTypes(one: InstalledPackage): Promise<void> {
  const tsc = path.join(MODULES, 'typescript/bin/tsc')
  for (const resolution of ['node10', 'node16 CommonJS', 'node16 ES module', 'bundler'] as const) {
    const errors = await compileTypes(one, resolution, tsc)
    report(`types, ${resolution}`, errors.length === 0, errors.join('\n') || 'compile')
  }
}

async function checkAppSide(one: InstalledPackage): Promise<void> {
  const { bytes } = await bundleAppSide(one)
  report(
    'bundled, minified, gzipped',
    bytes <= MOST.bytes,
    `${bytes} bytes, at most ${MOST.bytes} are allowed`,
  )
  const loads = await measureLoads(one)
  const show = ({ ms, mb }: { ms: number; mb: number }) => `${ms.toFixed(0)} ms, ${mb.toFixed(1)} MB`
  for (const form of ['import', 'require'] as const) {
    const { ms, mb } = loads[form]
    const isLight = ms <= MOST.timesPg * loads.pg.ms && mb <= MOST.timesPg * loads.pg.mb
    report(`${form} of the app's side`, isLight, `${show(loads[form])}; pg: ${show(loads.pg)}`)
  }
}

function report(what: string, isRight: boolean, detail: string): void {
  console.log(`${isRight ? 'ok ' : 'NOT'} ${what}: ${detail}`)
  if (!isRight) process.exitCode = 1
}

function runTool(name: string, args: readonly string[]): void {
  run(path.join(MODULES, '.bin', name), args)
}

function run(command: string, args: readonly string[]): void {
  const { status } = spawnSync(command, args, {
    cwd: ROOT,
    stdio: ['ignore', 'inherit', 'inherit'],
    shell: process.platform === 'win32',
  })
  if (status !== 0) process.exit(status ?? 1)
}
