import { mkdir, readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'

const SPECIFIER = /(?<=\bfrom '|\bimport\(")(\.{1,2}\/[^'"]+)\.ts(?=['"])/g

/** Copies the declarations of the entries, and of every module that they mention, into each of the folders. */
export async function copyTypes(
  from: string,
  entries: readonly string[],
  into: readonly string[],
): Promise<void> {
  const waiting = [...entries]
  for (const file of waiting) {
    const text = await readFile(path.join(from, file), 'utf8')
    for (const [, specifier] of text.matchAll(SPECIFIER)) {
      const mentioned = path.join(path.dirname(file), `${specifier}.d.ts`)
      if (!waiting.includes(mentioned)) waiting.push(mentioned)
    }
    for (const folder of into) {
      const target = path.join(folder, file)
      await mkdir(path.dirname(target), { recursive: true })
      await writeFile(target, text.replaceAll(SPECIFIER, '$1.js'))
    }
  }
}
