import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { findExamples } from '../../examples/harness/example.ts'
import { blocksOf, readDocument } from './blocks.ts'

const examples = await findExamples()

describe('the folders of examples', () => {
  test('are the rows of the table of docs/examples.md', () => {
    const rows = [...readDocument('docs/examples.md').matchAll(/^\| `examples\/([\w-]+)` \|/gm)]
    expect(rows.map(([, name]) => name).sort()).toEqual(examples.map(({ name }) => name).sort())
  })

  test.each(examples.map((example) => [example.name, example] as const))(
    '%s: its README has the two commands, and package.json has the scripts',
    (name, { commands, folder }) => {
      const { scripts, dependencies } = JSON.parse(readFileSync(path.join(folder, 'package.json'), 'utf8'))
      const [install, start] = commands
      expect(install).toMatch(/^npm ci\b/)
      expect(start).toBe('npm start')
      expect(Object.keys(scripts)).toContain('start')
      expect(dependencies['customerio-outbox']).toBe('file:../..')
      const named = blocksOf(`examples/${name}/README.md`).flatMap(({ code }) => [
        ...code.matchAll(/npm run (?:--silent )?(\w+)/g),
      ])
      for (const [, script] of named) expect(Object.keys(scripts)).toContain(script)
    },
  )

  test.each(examples.map(({ name, folder }) => [name, folder] as const))(
    '%s: its lock file names no other registry',
    (_, folder) => {
      const lock = readFileSync(path.join(folder, 'package-lock.json'), 'utf8')
      const resolved = [...lock.matchAll(/"resolved": "(?!https:\/\/registry\.npmjs\.org\/)([^"]*)"/g)]
      expect(resolved.map(([, url]) => url)).toEqual(['../..'])
    },
  )

  test('name only files that exist in their READMEs', () => {
    const missing = examples.flatMap(({ name, folder }) => {
      const named = readDocument(`examples/${name}/README.md`).matchAll(/`([\w./-]+\.(?:ts|sql|py|js))`/g)
      return [...named].flatMap(([, file = '']) =>
        existsSync(path.join(folder, file)) ? [] : [`${name}: ${file}`],
      )
    })
    expect(missing).toEqual([])
  })
})
