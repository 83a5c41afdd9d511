import { readFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

export const REPOSITORY = fileURLToPath(new URL('../..', import.meta.url))

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

/** Where a block stands, for a test's name. */
export function at({ file, line }: Pick<Block, 'file' | 'line'>): string {
  return `${file}:${line}`
}
