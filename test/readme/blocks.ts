import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

export const REPOSITORY = fileURLToPath(new URL('../..', import.meta.url))

/** The pages under `docs`, relative to the repository. */
export const PAGES = readdirSync(path.join(REPOSITORY, 'docs'))
  .filter((name) => name.endsWith('.md'))
  .map((name) => `docs/${name}`)

/** Every document that these tests check. */
export const DOCUMENTS = ['README.md', 'CONTRIBUTING.md', 'CHANGELOG.md', ...PAGES]

/** A fenced block of a Markdown file. */
export interface Block {
  /** The document, relative to the repository. */
  readonly file: string
  /** Line of its first line of code in the document, from 1. */
  readonly line: number
  readonly language: string
  readonly code: string
}

export function readDocument(file: string): string {
  return readFileSync(path.join(REPOSITORY, file), 'utf8')
}

/** A document without its fenced blocks. */
export function proseOf(file: string): string {
  return readDocument(file).replaceAll(/^```[\s\S]*?^```$/gm, '')
}

/** The text of every source file and migration. */
export function sourceText(): string {
  return ['src', 'migrations']
    .flatMap((folder) =>
      readdirSync(path.join(REPOSITORY, folder), { recursive: true, encoding: 'utf8' }).map((name) =>
        path.join(folder, name),
      ),
    )
    .filter((file) => /\.(ts|sql)$/.test(file))
    .map(readDocument)
    .join('\n')
}

/**
 * The fenced blocks of a document, in order.
 *
 * @throws Error if a block is never closed.
 */
export function blocksOf(file: string): Block[] {
  const blocks: Block[] = []
  let open: { line: number; language: string; code: string[] } | undefined
  for (const [index, text] of readDocument(file).split('\n').entries()) {
    const fence = text.match(/^```(\w*)\s*$/)
    if (fence && open) {
      blocks.push({ file, line: open.line, language: open.language, code: open.code.join('\n') })
      open = undefined
    } else if (fence) open = { line: index + 2, language: fence[1] ?? '', code: [] }
    else open?.code.push(text)
  }
  if (open) throw new Error(`${file}:${open.line - 1} opens a code block that is never closed`)
  return blocks
}

/** The place of a block, for a test's name. */
export function at({ file, line }: Pick<Block, 'file' | 'line'>): string {
  return `${file}:${line}`
}
