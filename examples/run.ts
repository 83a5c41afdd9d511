/** `npm run examples`: runs each example against a fake Customer.io that goes down in between, and judges the deliveries. */
import { parseArgs } from 'node:util'
import { findExamples, reasonToSkip } from './harness/example.ts'
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

Exit status: 0 if every example holds or was skipped, 1 if one failed, 2 if the arguments are wrong.
Postgres: DATABASE_URL if set (its user must be able to create databases), else a container, else an embedded server.`

const status = await main(process.argv.slice(2)).catch((error: Error) => {
  console.error(error.message)
  return 2
})
process.exit(status) // an example that was stopped half-way may hold a timer or a socket

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

  const interrupted = Promise.withResolvers<never>()
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(signal, () => interrupted.reject(new Error(`stopped by ${signal}`)))
  }
  interrupted.promise.catch(() => {}) // a race below reports it
  process.once('exit', killAll)

  await using postgres = await Promise.race([startRealPostgres({ volatile: true }), interrupted.promise])
  print(`${chosen.length} ${chosen.length === 1 ? 'example' : 'examples'} on ${postgres.source}`)
  const rows: string[] = []
  let failures = 0
  for (const example of chosen) {
    const begin = performance.now()
    const row = (verdict: string) =>
      rows.push(
        `${example.name.padEnd(14)} ${((performance.now() - begin) / 1_000).toFixed(1).padStart(6)} s  ${verdict}`,
      )
    const skip = await reasonToSkip(example)
    if (skip !== undefined) {
      row(`skipped: ${skip}`)
      continue
    }
    print(`\n${example.name}`)
    const say = (text: string) =>
      print(`  ${((performance.now() - begin) / 1_000).toFixed(1).padStart(5)} s  ${text}`)
    try {
      const played = play(example, { serverUrl: postgres.url, say, verbose: values.verbose === true })
      const problems = await Promise.race([played, interrupted.promise])
      for (const problem of problems) say(`FAILS: ${problem}`)
      if (problems.length > 0) failures++
      row(problems.length > 0 ? 'FAILS' : 'holds')
    } catch (error) {
      failures++
      say(`FAILS: ${(error as Error).message}`)
      row('FAILS')
      if (/^stopped by /.test((error as Error).message)) break
    }
  }
  print(`\n${rows.join('\n')}`)
  return failures > 0 ? 1 : 0
}

function print(text: string): number {
  process.stdout.write(`${text}\n`)
  return 0
}
