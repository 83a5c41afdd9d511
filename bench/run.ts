/** Entry point of `npm run bench`: measures, prints tables, writes results and charts. */
import { Api } from './api/api.ts'
import { describe } from './machine/describe.ts'
import { Postgres } from './machine/postgres.ts'
import { Redis } from './machine/redis.ts'
import type { Bench } from './measures/bench.ts'
import { holds, type MeasureResult } from './measures/measure.ts'
import { MEASURES_BY_ID } from './measures/measures.ts'
import { Backlogs } from './peers/backlogs.ts'
import { PEERS } from './peers/peers.ts'
import { saveResults } from './report/save.ts'
import { barsTable, measured, tablesOf, verdict } from './report/tables.ts'
import { readSettings, type Settings, USAGE } from './settings.ts'

class Interrupted extends Error {}

/** Rejects on SIGINT and SIGTERM, so that `main` still stops its servers and drops its databases. */
const interrupted = new Promise<never>((_, reject) => {
  for (const signal of ['SIGINT', 'SIGTERM']) {
    process.once(signal, () => reject(new Interrupted(`interrupted by ${signal}`)))
  }
})
interrupted.catch(() => {}) // handled by the race of each measure

async function main(settings: Settings): Promise<boolean> {
  const began = performance.now()
  const log = (line: string) =>
    process.stderr.write(`${((performance.now() - began) / 1_000).toFixed(0).padStart(5)} s  ${line}\n`)
  const print = (text: string) => settings.json || process.stdout.write(`${text}\n`)
  await using postgres = await Postgres.start()
  await using redis = await Redis.start()
  await using api = await Api.start()
  const description = describe(postgres, redis)
  print(JSON.stringify(description, null, 2))
  for (const { id, settings: description } of PEERS) print(`${id.padEnd(14)} ${description}`)
  if (!redis) log('redis-server is not installed, skipping BullMQ')
  const bench: Bench = { settings, postgres, redis, api, backlogs: new Backlogs(postgres), log }
  const results: MeasureResult[] = []
  for (const id of settings.only) {
    const run = MEASURES_BY_ID[id].run({ ...bench, log: (line) => log(`${id}: ${line}`) })
    const result = await Promise.race([run, interrupted])
    results.push(result)
    print(`\n${tablesOf(result)}`)
    await saveResults(description, settings, result)
  }
  const bars = results.flatMap((result) => result.bars)
  print(`\n${barsTable(bars)}`)
  if (settings.json) process.stdout.write(`${JSON.stringify({ description, settings, results }, null, 2)}\n`)
  const failed = bars
    .filter((bar) => !holds(bar))
    .map((bar) => `${bar.says}: ${measured(bar)}, ${verdict(bar)}`)
  const broken = results.flatMap((result) => result.broken)
  for (const line of [...failed, ...broken]) process.stderr.write(`${line}\n`)
  return failed.length + broken.length === 0
}

try {
  const settings = readSettings(process.argv.slice(2))
  if (settings === 'help') process.stdout.write(`${USAGE}\n`)
  else if (!(await main(settings)) && settings.assert) process.exitCode = 1
} catch (error) {
  process.stderr.write(`${(error as Error).message}\n`)
  process.exitCode = error instanceof Interrupted ? 130 : 2
}
process.exit() // an interrupted measure leaves timers and sockets open
