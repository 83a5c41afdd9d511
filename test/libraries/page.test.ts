import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { readDocument } from '../readme/blocks.ts'

/** Packages that the suite needs besides the libraries: drivers under them, the proxy for Neon, types. */
const TOOLS = new Set(['@mikro-orm/core', '@prisma/adapter-pg', '@types/pg', '@types/ws', 'ws'])

test('docs/libraries.md names the versions with which the suite runs', () => {
  const tested = ['./package.json', './previous/package.json'].flatMap((file) => {
    const { dependencies } = JSON.parse(readFileSync(new URL(file, import.meta.url), 'utf8'))
    return Object.entries<string>(dependencies).filter(([name]) => !TOOLS.has(name))
  })
  const named = [
    ...readDocument('docs/libraries.md').matchAll(/`([@\w/-]+)` (\d[\d.]+(?:, \d[\d.]+)*)/g),
  ].flatMap(([, name, versions = '']) => versions.split(', ').map((version) => [name, version]))
  expect(named.sort()).toEqual(tested.sort())
})
