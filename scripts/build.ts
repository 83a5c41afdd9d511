/**
 * Builds `dist`, the published code: `npm run build`.
 *
 *   dist/*.js      ECMAScript modules: the entry points, the command line, and in `shared` what they have in common
 *   dist/cjs/*.js  the entry points as CommonJS
 *   *.d.ts         beside each entry point its types, as tsc writes them
 *
 * Modules are merged, because an app that loads the 60 modules of `createOutbox` one by one starts 100 ms later.
 */
import { execFileSync } from 'node:child_process'
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
  'store/schema': 'src/store/schema.ts',
  'testing/index': 'src/testing/index.ts',
}

const manifest = JSON.parse(await readFile(path.join(ROOT, 'package.json'), 'utf8'))

await rm(DIST, { recursive: true, force: true })
await writeCode('esm', DIST, { ...ENTRIES, 'cli/main': 'src/cli/main.ts' })
await writeCode('cjs', path.join(DIST, 'cjs'), ENTRIES)
await writeFile(path.join(DIST, 'cjs/package.json'), '{ "type": "commonjs" }\n')
await writeTypes()

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

async function writeTypes(): Promise<void> {
  const written = await mkdtemp(path.join(ROOT, 'node_modules/.types-'))
  try {
    const tsc = path.join(ROOT, 'node_modules/typescript/bin/tsc')
    execFileSync(process.execPath, [tsc, '-p', 'tsconfig.build.json', '--outDir', written], {
      cwd: ROOT,
      stdio: 'inherit',
    })
    const entries = Object.keys(ENTRIES).map((entry) => `${entry}.d.ts`)
    await copyTypes(written, entries, [DIST, path.join(DIST, 'cjs')])
  } finally {
    await rm(written, { recursive: true, force: true })
  }
}
