/** `npm run examples`: runs each example against a fake Customer.io that goes down in between, and judges the deliveries. */
import { parseArgs } from 'node:util'
import { type Example, findExamples, reasonToSkip } from './harness/example.ts'
import { play } from './harness/play.ts'
import { killAll } from './harness/program.ts'
import { startRealPostgres } from '../src/testing/postgres/real-postgres.ts'

const HELP = `Usage: npm run examples -- [options] [name…]

Runs the two commands of each example's README on a database of its own, places orders, takes Customer.io down and up
again, and compares the committed orders with the deliveries. Without a name, every example runs.

Options:
  --list      print the names of the examples
  --verbose   print the output of the examples and of the relay
  --help      print this text

Exit status: 0 if every example holds or was skipped, 1 if one failed, 2 if the run could not start or was stopped.
Postgres: DATABASE_URL if set (its user must be able to create databases), else a container, else an embedded server.`

async function main(argv: string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: argv,
    allowPositionals: true,
    options: { help: { type: 'boolean' }, list: { type: 'boolean' }, verbose: { type: 'boolean' } },
  })
  const all = await findExamples()
  const names = all.map(({ name }) => name)
  if (values.help) return print(HELP)
  if (values.list) return print(names.join('\n'))
  const unknown = positionals.filter((name) => !names.includes(name))
  if (unknown.length > 0) throw new Error(`Expected names of ${names.join(', ')}, got ${unknown.join(', ')}`)
  const chosen = positionals.length > 0 ? all.filter(({ name }) => positionals.includes(name)) : all

  process.once('exit', killAll)
  const interrupted = untilSignal()
  await using postgres = await Promise.race([startRealPostgres({ volatile: true }), interrupted])
  print(`${chosen.length} ${chosen.length === 1 ? 'example' : 'examples'} on ${postgres.source}`)
  const rows: string[] = []
  let failures = 0
  for (const example of chosen) {
    const clock = new Clock()
    const running = runExample(example, postgres.url, clock, values.verbose === true)
    const verdict = await Promise.race([running, interrupted])
    if (verdict === 'FAILS') failures++
    rows.push(`${example.name.padEnd(14)} ${clock.seconds} s  ${verdict}`)
  }
  print(`\n${rows.join('\n')}`)
  return failures > 0 ? 1 : 0
}

/** Plays one example. Resolves with its verdict: `holds`, `FAILS` or `skipped: …`. */
async function runExample(
  example: Example,
  serverUrl: string,
  clock: Clock,
  verbose: boolean,
): Promise<string> {
  const skip = await reasonToSkip(example)
  if (skip !== undefined) return `skipped: ${skip}`
  print(`\n${example.name}`)
  const say = (text: string) => print(`  ${clock.seconds} s  ${text}`)
  const problems = await play(example, { serverUrl, say, verbose }).catch((error: Error) => [
    causeOf(error).message,
  ])
  for (const problem of problems) say(`FAILS: ${problem}`)
  return problems.length > 0 ? 'FAILS' : 'holds'
}

/** The error itself, if another error followed when the example's database was dropped. */
function causeOf(error: Error): Error {
  return error instanceof SuppressedError ? error.suppressed : error
}

/** Rejects when a signal asks this process to stop. */
function untilSignal(): Promise<never> {
  const { promise, reject } = Promise.withResolvers<never>()
  promise.catch(() => {}) // a race reports it
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(signal, () => reject(new Error(`stopped by ${signal}`)))
  }
  return promise
}

class Clock {
  readonly #begin = performance.now()

  get seconds(): string {
    return ((performance.now() - this.#begin) / 1_000).toFixed(1).padStart(6)
  }
}

function print(text: string): number {
  process.stdout.write(`${text}\n`)
  return 0
}

const status = await main(process.argv.slice(2)).catch((error: Error) => {
  console.error(error.message)
  return 2
})
process.exit(status) // an example that was stopped half-way may hold a timer or a socket
