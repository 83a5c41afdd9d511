import { execFile } from 'node:child_process'
import path from 'node:path'
import { promisify } from 'node:util'
import { gzipSync } from 'node:zlib'
import { build } from 'esbuild'
import type { InstalledPackage } from './install-package.ts'

/** What `createOutbox` and the builders cost an app. */
export interface AppSide {
  /** Bytes of the code in a bundle, minified and gzipped. */
  readonly bytes: number
  /** The files that a bundle contains, and the modules that it imports, such as `node:crypto`. */
  readonly files: readonly string[]
  readonly imports: readonly string[]
}

/** Bundles an app that exports the whole entry point, so that nothing is left out. */
export async function bundleAppSide({ app }: InstalledPackage): Promise<AppSide> {
  const { outputFiles, metafile } = await build({
    stdin: { contents: `export * from 'customerio-outbox'`, resolveDir: app },
    bundle: true,
    minify: true,
    platform: 'node',
    format: 'esm',
    write: false,
    metafile: true,
    absWorkingDir: app,
  })
  const [output] = Object.values(metafile.outputs)
  return {
    bytes: gzipSync(outputFiles[0]?.contents ?? '', { level: 9 }).byteLength,
    files: Object.keys(metafile.inputs).filter((file) => file !== '<stdin>'),
    imports: [...new Set(output?.imports.map((one) => one.path))],
  }
}

/** Medians of the time and the memory that a fresh process takes to load a module. */
export interface Load {
  readonly ms: number
  readonly mb: number
}

const ROUNDS = 9

/** The loads of the app's side and of what it is compared with. `pg` is small, and apps of an outbox load it anyway. */
const LOADS = {
  import: `await import('customerio-outbox')`,
  require: `require('customerio-outbox')`,
  pg: `await import('pg')`,
} as const

/** Loads each module in fresh processes. The rounds are interleaved, so that other work on the machine meets all alike. */
export async function measureLoads({ app }: InstalledPackage): Promise<Record<keyof typeof LOADS, Load>> {
  const names = Object.keys(LOADS) as (keyof typeof LOADS)[]
  const measured = new Map(names.map((name) => [name, [] as Load[]]))
  for (let round = 0; round < ROUNDS; round++) {
    for (const name of names) measured.get(name)?.push(await loadOnce(app, LOADS[name]))
  }
  return Object.fromEntries([...measured].map(([name, loads]) => [name, medianOf(loads)])) as Record<
    keyof typeof LOADS,
    Load
  >
}

async function loadOnce(app: string, load: string): Promise<Load> {
  const script = `import { createRequire } from 'node:module'
    const require = createRequire(${JSON.stringify(path.join(app, 'app.js'))})
    const memory = process.memoryUsage.rss(), start = performance.now()
    ${load}
    console.log(JSON.stringify({ ms: performance.now() - start, mb: (process.memoryUsage.rss() - memory) / 2 ** 20 }))`
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script], {
    cwd: app,
    env: { ...process.env, NODE_COMPILE_CACHE: undefined }, // as the first start of an app
  })
  return JSON.parse(stdout)
}

function medianOf(loads: readonly Load[]): Load {
  const middle = (values: number[]) => values.sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN
  return { ms: middle(loads.map(({ ms }) => ms)), mb: middle(loads.map(({ mb }) => mb)) }
}
