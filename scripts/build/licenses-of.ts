import { readdir, readFile } from 'node:fs/promises'
import path from 'node:path'
import type { OutputChunk } from 'rolldown'

/** The license texts of the packages whose code is part of the chunks. */
export async function licensesOf(chunks: readonly OutputChunk[]): Promise<string> {
  const modules = chunks.flatMap((chunk) => chunk.moduleIds)
  const folders = new Set(modules.map(packageFolderOf).filter((folder) => folder !== undefined))
  const texts = await Promise.all([...folders].sort().map(licenseOf))
  return `The files beside this one contain code of these packages.\n\n${texts.join('\n\n')}`
}

function packageFolderOf(id: string): string | undefined {
  return id.match(/^.*\/node_modules\/(?:@[^/]+\/)?[^/]+/)?.[0]
}

async function licenseOf(folder: string): Promise<string> {
  const { name, version, license } = JSON.parse(await readFile(path.join(folder, 'package.json'), 'utf8'))
  const file = (await readdir(folder)).find((entry) => /^licen[cs]e/i.test(entry))
  if (!file) throw new Error(`Expected ${name} to have a file with its license, got none in ${folder}`)
  return `== ${name} ${version} (${license}) ==\n\n${await readFile(path.join(folder, file), 'utf8')}`
}
