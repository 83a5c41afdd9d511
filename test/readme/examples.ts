import { globSync } from 'node:fs'
import { type Block, REPOSITORY, readDocument } from './blocks.ts'

/**
 * Every fenced `ts` block that follows an `@example` in a doc comment of the sources, or stands in the comment of a
 * module. The lines are those of the source file.
 */
export function examplesOfSources(): Block[] {
  return globSync('src/**/*.ts', { cwd: REPOSITORY }).sort().flatMap(examplesOf)
}

const FENCE = /^\s*\* ```(\w*)\s*$/

function examplesOf(file: string): Block[] {
  const blocks: Block[] = []
  let open: { readonly line: number; readonly language: string; readonly code: string[] } | undefined
  for (const [index, text] of readDocument(file).split('\n').entries()) {
    const fence = FENCE.exec(text)
    if (!fence) open?.code.push(text.replace(/^\s*\* ?/, ''))
    else if (!open) open = { line: index + 2, language: fence[1] ?? '', code: [] }
    else {
      blocks.push({ file, line: open.line, language: open.language, code: open.code.join('\n') })
      open = undefined
    }
  }
  if (open) throw new Error(`${file}:${open.line - 1} opens a code block that is never closed`)
  return blocks.filter(({ language }) => language === 'ts')
}

/** Declarations of values that examples use without creating them. */
export const EXAMPLE_FIXTURES = `
import type { Operator } from 'customerio-outbox/operator'
import type { Relay } from 'customerio-outbox/relay'
import type { NodePgDatabase } from 'drizzle-orm/node-postgres'
declare global {
  const connectionString: string
  const midnight: Date
  const relay: Relay
  const operator: Operator
  const db: NodePgDatabase
}`

const OPERATORS = 'and, asc, count, desc, eq, gt, gte, isNotNull, isNull, lt, lte, ne, sql'

/**
 * Adds imports of all tables and of Drizzle's operators to an example of `src/store/schema.ts`, and leaves other examples as
 * they are. The imports go on the first line, so that no line number changes.
 */
export function withTables(example: Block): Block {
  if (example.file !== 'src/store/schema.ts') return example
  const tables = [...readDocument(example.file).matchAll(/^export const (\w+) = /gm)].map(([, name]) => name)
  const imports = `import { ${tables.join(', ')} } from 'customerio-outbox/schema'; import { ${OPERATORS} } from 'drizzle-orm'`
  return { ...example, code: `${imports}; ${example.code}` }
}
