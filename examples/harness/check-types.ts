import { existsSync } from 'node:fs'
import path from 'node:path'
import { type Example, REPOSITORY } from './example.ts'
import { Program } from './program.ts'

const CHECK_MS = 120_000

/** Checks the types of an example that has a tsconfig.json, with the compiler of this repository. Node.js does not check them. */
export async function checkTypes({ folder }: Example): Promise<boolean> {
  if (!existsSync(path.join(folder, 'tsconfig.json'))) return false
  const tsc = path.join(REPOSITORY, 'node_modules/.bin/tsc')
  await new Program(`"${tsc}" --noEmit -p .`, { cwd: folder, environment: {} }).succeeded(CHECK_MS)
  return true
}
