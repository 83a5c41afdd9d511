/**
 * Builds `dist`, the published code: `npm run build`.
 *
 *   dist/*.js      ECMAScript modules: the entry points, the command line, and in `shared` what they have in common
 *   dist/cjs/*.js  the entry points as CommonJS
 *   *.d.ts         beside each entry point its types, as tsc writes them
 *
 * Modules are merged, because an app that loads the 60 modules of `createOutbox` one by one starts 100 ms later.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { rolldown } from 'rolldown'
import { copyTypes } from './build/copy-types.ts'
import { embedPackageFiles } from './build/embed-package-files.ts'
import { licensesOf } from './build/licenses-of.ts'
import { isExternal } from './build/external.ts'

const ROOT = path.join(import.meta.dirname, '..')
const DIST = path.join(ROOT, 'dist')

/** By the path in `dist`. tsc writes the types to the same path. */
const ENTRIES = {
  index: 'src/index.ts',
  relay: 'src/relay.ts',
  operator: 'src/operator.ts',
  'store/schema': 'src/store/schema.ts',
  'testing/index': 'src/testing/index.ts',
}

const manifest = JSON.parse(await readFile(path.join(ROOT, 'package.json'), 'utf8'))

await rm(DIST, { recursive: true, force: true })
const types = compileTypes() // in a process of its own, while rolldown runs
await writeCode('esm', DIST, { ...ENTRIES, 'cli/main': 'src/cli/main.ts' })
await writeCode('cjs', path.join(DIST, 'cjs'), ENTRIES)
await writeFile(path.join(DIST, 'cjs/package.json'), '{ "type": "commonjs" }\n')
await writeTypes(await types)

async function writeCode(
  format: 'esm' | 'cjs',
  dir: string,
  input: Readonly<Record<string, string>>,
): Promise<void> {
  await using bundle = await rolldown({
    cwd: ROOT,
    input,
    external: isExternal(Object.keys(manifest.dependencies), format),
    platform: 'node',
    resolve: { mainFields: ['module', 'main'] }, // of fastest-levenshtein the code that needs no wrapper
    plugins: [embedPackageFiles(ROOT, manifest.version)],
    // `sideEffects` in package.json is about the published entry points. Modules of the command line have some.
    treeshake: { moduleSideEffects: (id) => id.startsWith(path.join(ROOT, 'src/cli/')) || undefined },
  })
  const { output } = await bundle.write({
    dir,
    format,
    sourcemap: format === 'esm', // the map of the merged packages would have 3 MB
    chunkFileNames: 'shared/[name]-[hash].js',
  })
  const chunks = output.filter((file) => file.type === 'chunk')
  await writeFile(path.join(dir, 'LICENSES.txt'), await licensesOf(chunks))
}

/** @returns the folder with the types of every source file. */
async function compileTypes(): Promise<string> {
  const written = await mkdtemp(path.join(ROOT, 'node_modules/.types-'))
  const tsc = path.join(ROOT, 'node_modules/typescript/bin/tsc')
  const args = [tsc, '-p', 'tsconfig.build.json', '--outDir', written]
  const child = spawn(process.execPath, args, { cwd: ROOT, stdio: 'inherit' })
  const [status] = await once(child, 'exit')
  if (status !== 0) {
    await rm(written, { recursive: true, force: true })
    process.exit(1)
  }
  return written
}

async function writeTypes(written: string): Promise<void> {
  try {
    const entries = Object.keys(ENTRIES).map((entry) => `${entry}.d.ts`)
    await copyTypes(written, entries, [DIST, path.join(DIST, 'cjs')])
  } finally {
    await rm(written, { recursive: true, force: true })
  }
}
