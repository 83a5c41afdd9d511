import { execFile } from 'node:child_process'
import { copyFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { promisify } from 'node:util'
import type { InstalledPackage } from './install-package.ts'
import { ROOT } from './install-package.ts'

/** How an app may resolve modules. `node10` is the last form that knows no `exports`; TypeScript 7 has none such. */
export type Resolution = 'node10' | 'node16 CommonJS' | 'node16 ES module' | 'bundler'

const OPTIONS = {
  node10: { extension: 'ts', module: 'commonjs', moduleResolution: 'node10' },
  'node16 CommonJS': { extension: 'cts', module: 'node16', moduleResolution: 'node16' },
  'node16 ES module': { extension: 'mts', module: 'node16', moduleResolution: 'node16' },
  bundler: { extension: 'ts', module: 'esnext', moduleResolution: 'bundler' },
} as const

/**
 * Compiles an app that uses every entry point, and with it all declarations of the package: `skipLibCheck` is off.
 *
 * @param tsc The compiler's program.
 * @returns the errors in the app and in the package. Some declarations of drizzle-orm never compile without `skipLibCheck`.
 */
export async function compileTypes(
  { app }: InstalledPackage,
  resolution: Resolution,
  tsc: string,
): Promise<string[]> {
  const { extension, ...options } = OPTIONS[resolution]
  const name = resolution.replaceAll(' ', '-')
  const file = `types-${name}.${extension}`
  await copyFile(path.join(ROOT, 'test/package/apps/types.ts'), path.join(app, file))
  const config = path.join(app, `tsconfig-${name}.json`)
  const compilerOptions = {
    ...options,
    target: 'es2023',
    lib: ['es2023', 'esnext.disposable'],
    types: ['node'],
    strict: true,
    noEmit: true,
  }
  await writeFile(config, JSON.stringify({ compilerOptions, files: [file] }))
  const output = await promisify(execFile)(process.execPath, [tsc, '-p', config], { cwd: app }).then(
    ({ stdout }) => stdout,
    (failure: Error & { stdout?: string }) => {
      if (failure.stdout?.includes('error TS')) return failure.stdout
      throw failure // the compiler itself has failed
    },
  )
  return output
    .split('\n')
    .filter((line) => /^(types-|tsconfig|error|node_modules\/customerio-outbox\/)/.test(line))
}
