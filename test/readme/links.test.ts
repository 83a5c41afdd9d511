import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import path from 'node:path'
import { promisify } from 'node:util'
import { beforeAll, describe, expect, test } from 'vitest'
import { DOCUMENTS, PAGES, proseOf, readDocument, REPOSITORY, sourceText } from './blocks.ts'

interface Link {
  /** The document that has the link. */
  readonly from: string
  /** The file that it leads to, relative to the repository. */
  readonly file: string
  readonly anchor: string | undefined
}

const links = DOCUMENTS.flatMap(relativeLinks)

describe('links', () => {
  test('every relative link and image leads to a file of the repository', () => {
    expect(links.filter(({ file }) => !existsSync(path.join(REPOSITORY, file)))).toEqual([])
  })

  test('every anchor is a heading of its page', () => {
    const headings = new Map(DOCUMENTS.map((file) => [file, anchorsOf(file)]))
    const broken = links.filter(
      ({ file, anchor }) => anchor !== undefined && !headings.get(file)?.has(anchor),
    )
    expect(broken).toEqual([])
  })

  test('the README links to every page', () => {
    const linked = new Set(links.filter(({ from }) => from === 'README.md').map(({ file }) => file))
    expect(DOCUMENTS.filter((file) => file !== 'README.md' && !linked.has(file))).toEqual([])
  })

  test('"Read on" lists the pages in the order in which they are read', () => {
    const [, readOn = ''] = readDocument('README.md').split('## Read on')
    const order = [...readOn.matchAll(/\]\(docs\/([\w-]+)\.md\)/g)].map(([, page]) => page)
    expect(order.slice(0, 12)).toEqual([
      'getting-started',
      'enqueue',
      'events',
      'encryption',
      'deploy',
      'settings',
      'runbook',
      'operate',
      'operations',
      'guarantees',
      'performance',
      'architecture',
    ])
    expect(new Set(order)).toEqual(new Set(PAGES.map((page) => path.basename(page, '.md'))))
  })
})

describe('the published package', () => {
  let shipped: ReadonlySet<string>
  beforeAll(async () => {
    shipped = new Set(await packedFiles())
  })

  test('contains every document', () => {
    expect(DOCUMENTS.filter((file) => !shipped.has(file))).toEqual([])
  })

  test('contains every file that a document of it links to', () => {
    const missing = links.filter(({ from, file }) => shipped.has(from) && !shipped.has(file))
    expect(missing.map(({ from, file }) => `${from} links to ${file}`)).toEqual([])
  })

  test('links to Customer.io and to the two standards of the changelog, and to no other host', () => {
    const hosts = DOCUMENTS.flatMap((file) =>
      [...readDocument(file).matchAll(/\bhttps?:\/\/([\w.-]+)/g)].map(([, host]) => host),
    )
    expect(new Set(hosts)).toEqual(new Set(['customer.io', 'keepachangelog.com', 'semver.org']))
  })
})

describe('names', () => {
  test('every source file and test that a document names exists', () => {
    const names = DOCUMENTS.flatMap((file) =>
      [...readDocument(file).matchAll(/`((?:src|test|bench|migrations)\/[\w./-]+\.(?:ts|sql|json))`/g)].map(
        ([, name = '']) => name,
      ),
    )
    expect(names.length).toBeGreaterThan(40)
    expect(names.filter((name) => !existsSync(path.join(REPOSITORY, name)))).toEqual([])
  })
})

describe('messages', () => {
  const quoted = [...proseOf('docs/operations.md').matchAll(/`([a-z][a-z;,… -]* [a-z;,… -]*)`/g)]
    .map(([, text = '']) => text)
    .filter((text) => !text.startsWith('customerio-outbox '))

  test('every log line and error that the operations page quotes is in the sources', () => {
    const sources = sourceText()
    expect(quoted.length).toBeGreaterThan(8)
    const isFound = (text: string) => text.split('…').every((part) => sources.includes(part.trim()))
    expect(quoted.filter((text) => !isFound(text))).toEqual([])
  })
})

describe('next steps', () => {
  test('every section of a document that a message names exists', () => {
    const named = [...sourceText().matchAll(/\b(docs\/[\w-]+\.md)(?:#([\w-]+))?/g)]
    expect(named.length).toBeGreaterThan(20)
    const broken = named.filter(
      ([, file = '', anchor]) =>
        !DOCUMENTS.includes(file) || (anchor !== undefined && !anchorsOf(file).has(anchor)),
    )
    expect(broken.map(([text]) => text)).toEqual([])
  })
})

describe('the glossary', () => {
  const words = [...readDocument('docs/glossary.md').matchAll(/^\| \*\*([^*]+)\*\* \|/gm)].map(
    ([, word = '']) => word,
  )

  test('has each word once, in alphabetical order', () => {
    expect(words.length).toBeGreaterThan(20)
    expect(words).toEqual([...new Set(words)].sort((a, b) => a.localeCompare(b, 'en')))
  })

  test('has only words that another document or the sources use', () => {
    const others = DOCUMENTS.filter((file) => file !== 'docs/glossary.md').map(proseOf)
    const text = [...others, sourceText()].join('\n').toLowerCase()
    expect(words.filter((word) => !text.includes(word.toLowerCase()))).toEqual([])
  })
})

function relativeLinks(from: string): Link[] {
  return [...proseOf(from).matchAll(/\]\((?!https?:)([^)#\s]*)(?:#([^)\s]+))?[^)]*\)/g)].map(
    ([, target = '', anchor]) => ({
      from,
      file: target === '' ? from : path.join(path.dirname(from), target),
      anchor,
    }),
  )
}

/** The anchors that GitHub makes of a page's headings. */
function anchorsOf(file: string): Set<string> {
  const headings = [...proseOf(file).matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) => heading)
  return new Set(
    headings.map((heading) =>
      heading
        .toLowerCase()
        .replaceAll(/[^\w\s-]/g, '')
        .replaceAll(/\s/g, '-'),
    ),
  )
}

async function packedFiles(): Promise<string[]> {
  const { stdout } = await promisify(execFile)('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], {
    cwd: REPOSITORY,
  })
  const parsed: unknown = JSON.parse(stdout)
  const [pack] = (Array.isArray(parsed) ? parsed : Object.values(parsed as object)) as [
    { files: { path: string }[] },
  ]
  return pack.files.map((file) => file.path)
}
