import { execFile } from 'node:child_process'
import { cp, mkdir, mkdtemp, readdir, readFile, realpath, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import { type Block, REPOSITORY } from './blocks.ts'

/** What comes before a block that uses `tx` without opening a transaction. It fills one line, so no line number changes. */
const PRELUDE = [
  `import $pg from 'pg'`,
  `import { createOutbox as $createOutbox } from 'customerio-outbox'`,
  'const $pool = new $pg.Pool({ connectionString: process.env.DATABASE_URL })',
  'const tx = await $pool.connect()',
  `await tx.query('BEGIN')`,
  'const outbox = $createOutbox({ onIgnored: () => {} })',
  `const user = { id: 'u1', email: 'jane@example.com' }`,
]

/** What comes before a block of the page about libraries, each of which opens a transaction of its own. */
const LIBRARIES_PAGE = 'docs/libraries.md'
const LIBRARIES_PRELUDE = `import { createOutbox, intents } from 'customerio-outbox'; const outbox = createOutbox()`
const EPILOGUE = `await tx.query('COMMIT'); tx.release(); await $pool.end()`

export interface Run {
  readonly status: number
  readonly output: string
}

/**
 * A folder that looks like an app which has installed the package: the name `customerio-outbox` leads to this
 * repository's sources. Every block becomes a file there with its code on the lines that it has in the document,
 * so that a compiler's or a stack trace's line number is the document's.
 */
export class Sandbox implements AsyncDisposable {
  readonly #folder: string
  readonly #documents = new Map<string, string>()
  readonly #tests = new Set<string>()

  private constructor(folder: string) {
    this.#folder = folder
  }

  static async create(): Promise<Sandbox> {
    const folder = await realpath(await mkdtemp(path.join(tmpdir(), 'customerio-outbox-readme-')))
    await installDependencies(folder)
    for (const app of ['test/readme/app', 'test/libraries/app'])
      await cp(path.join(REPOSITORY, app), folder, { recursive: true })
    await writeFile(path.join(folder, 'package.json'), JSON.stringify({ type: 'module', private: true }))
    await writeFile(
      path.join(folder, 'tsconfig.json'),
      JSON.stringify({
        extends: path.join(REPOSITORY, 'tsconfig.json'),
        compilerOptions: {
          noUnusedLocals: false,
          noUnusedParameters: false,
          allowImportingTsExtensions: true,
        },
        include: ['*.ts'],
      }),
    )
    return new Sandbox(folder)
  }

  /** Writes a TypeScript block and returns its file. A first line such as `// place-order.ts` names it. */
  async add(block: Block): Promise<string> {
    const [, given] = block.code.match(/^\/\/ ([\w-]+\.ts)\n/) ?? []
    const name = given ?? `${block.file.replace(/\.\w+$/, '').replaceAll('/', '-')}-${block.line}.ts`
    const isFragment = /\btx\b/.test(block.code) && !block.code.includes('transaction(')
    const imports = /import \{.*\bintents\b.*\}/.test(block.code)
      ? []
      : [`import { intents } from 'customerio-outbox'`]
    const ofLibrary = block.file === LIBRARIES_PAGE
    const head = ofLibrary ? LIBRARIES_PRELUDE : isFragment ? [...imports, ...PRELUDE].join('; ') : ''
    const end = ofLibrary ? 'process.exit()' : isFragment ? EPILOGUE : ''
    const lines = [head, ...Array.from({ length: block.line - 2 }, () => ''), block.code]
    await writeFile(path.join(this.#folder, name), `${lines.join('\n')}\n${end}\n`)
    this.#documents.set(name, block.file)
    if (block.code.includes("'node:test'")) this.#tests.add(name)
    return name
  }

  /** Writes a file that is not a block, for example one that calls what a block exports. */
  async addCaller(name: string, code: string): Promise<string> {
    await writeFile(path.join(this.#folder, name), code)
    return name
  }

  /** Compiles everything. The output names documents and their lines. */
  check(): Promise<Run> {
    return this.#run(
      path.join(REPOSITORY, 'node_modules/typescript/bin/tsc'),
      ['-p', '.', '--noEmit', '--pretty', 'false'],
      {},
    )
  }

  /** Runs a file as Node would run an app's. */
  run(name: string, databaseUrl: string): Promise<Run> {
    const flags = this.#tests.has(name) ? ['--test-force-exit'] : []
    return this.#run(path.join(this.#folder, name), [], { DATABASE_URL: databaseUrl }, flags)
  }

  async #run(script: string, args: string[], env: NodeJS.ProcessEnv, flags: string[] = []): Promise<Run> {
    const options = {
      cwd: this.#folder,
      env: { ...process.env, ...env, NODE_OPTIONS: '--disable-warning=ExperimentalWarning' },
      timeout: 60_000,
    }
    const found = await promisify(execFile)(process.execPath, [...flags, script, ...args], options).then(
      ({ stdout, stderr }) => ({ status: 0, output: stdout + stderr }),
      (error: { code?: number; stdout?: string; stderr?: string }) => ({
        status: error.code ?? 1,
        output: `${error.stdout ?? ''}${error.stderr ?? ''}`,
      }),
    )
    return { ...found, output: this.#named(found.output) }
  }

  /** Names the documents: `README-120.ts(123,5)` and `file:///tmp/…/README-120.ts:123:5` become `README.md:123:5`. */
  #named(output: string): string {
    let named = output.replaceAll(`file://${this.#folder}/`, '').replaceAll(`${this.#folder}/`, '')
    for (const [name, document] of this.#documents) {
      named = named.replaceAll(
        new RegExp(`\\b${name.replaceAll('.', '\\.')}[(:](\\d+)[,:](\\d+)\\)?`, 'g'),
        `${document}:$1:$2`,
      )
    }
    return named
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.#folder, { recursive: true, force: true })
  }
}

const LIBRARIES = path.join(REPOSITORY, 'test/libraries')

/** Links the repository's dependencies into `folder`, those of the contract suite, and the repository itself as the package `customerio-outbox`. */
async function installDependencies(folder: string): Promise<void> {
  const modules = path.join(folder, 'node_modules')
  const own = path.join(modules, 'customerio-outbox')
  await mkdir(own, { recursive: true })
  const linked = new Set(['@types'])
  await symlink(path.join(REPOSITORY, 'node_modules/@types'), path.join(modules, '@types'))
  for (const installed of [REPOSITORY, LIBRARIES]) {
    for (const name of await readdir(path.join(installed, 'node_modules'))) {
      if (name.startsWith('.') || linked.has(name)) continue
      await symlink(path.join(installed, 'node_modules', name), path.join(modules, name))
      linked.add(name)
    }
  }
  const manifest = JSON.parse(await readFile(path.join(REPOSITORY, 'package.json'), 'utf8')) as {
    exports: Record<string, { import: { default: string } } | string>
  }
  const sources = Object.entries(manifest.exports).flatMap(([name, target]) =>
    typeof target === 'string'
      ? []
      : [[name, target.import.default.replace('./dist/', './src/').replace(/\.js$/, '.ts')] as const],
  )
  await symlink(path.join(REPOSITORY, 'src'), path.join(own, 'src'))
  await writeFile(
    path.join(own, 'package.json'),
    JSON.stringify({ name: 'customerio-outbox', type: 'module', exports: Object.fromEntries(sources) }),
  )
}
