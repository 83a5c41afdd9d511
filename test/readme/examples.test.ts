import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { EXAMPLE_FIXTURES, examplesOfSources, withTables } from './examples.ts'
import { type PublicItem, publicItems } from './public-items.ts'
import { Sandbox } from './sandbox.ts'

describe('examples in doc comments', () => {
  let sandbox: Sandbox
  beforeAll(async () => {
    sandbox = await Sandbox.create()
  })
  afterAll(() => sandbox[Symbol.asyncDispose]())

  test('every example compiles', async () => {
    const examples = examplesOfSources()
    expect(examples.length).toBeGreaterThan(60)
    await sandbox.addCaller('fixtures.d.ts', EXAMPLE_FIXTURES)
    for (const example of examples) await sandbox.add(withTables(example))
    expect(await sandbox.check()).toEqual({ status: 0, output: '' })
  })
})

describe('doc comments of public items', () => {
  const entries = [
    'src/index.ts',
    'src/relay.ts',
    'src/operator.ts',
    'src/testing/index.ts',
    'src/store/schema.ts',
  ] as const

  test.each(entries)('%s: functions, classes, methods and options have their tags', (entry) => {
    const items = publicItems(entry)
    expect(items.length).toBeGreaterThan(3)
    const incomplete = items.filter(({ missing }) => missing.length > 0)
    expect(incomplete.map(describeItem)).toEqual([])
  })
})

function describeItem({ name, file, missing }: PublicItem): string {
  return `${file}: ${name} lacks ${missing.join(', ')}`
}
