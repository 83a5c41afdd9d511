import { Command, InvalidArgumentError, Option } from 'commander'
import { describeFindings } from '../support/oracle.ts'
import { describeSchedule } from './run-schedule.ts'
import { type Progress, runSoak, type SoakResult } from './run-soak.ts'
import { type Incident, KINDS, planSchedule } from './schedule.ts'

/** `npm run soak -- --minutes 10 --seed 7` */
interface Flags {
  readonly minutes: number
  readonly seed: number
  readonly relays: number
  readonly rate: number
  readonly only: readonly Incident['kind'][]
  readonly plan?: boolean
}

const program = new Command('soak')
  .description(
    [
      'Everything goes wrong at random. Relays are killed and frozen, connections',
      'are cut and swallowed. Postgres restarts, fails over to a replica that lags,',
      'and crashes and loses acknowledged commits; its clock steps, if libfaketime',
      'is installed. Customer.io is slow, down, limited and lies; a gateway in front',
      'of it answers in its own name. Then the faults stop, the backlog drains, and',
      'the oracle looks for what was lost, sent though rolled back, out of order or',
      'applied twice. Commits that Postgres itself lost are counted apart. Exit',
      'status 1 if it finds something.',
    ].join('\n'),
  )
  .option('--minutes <number>', 'how long things go wrong', positive, 10)
  .option('--seed <number>', 'the same seed gives the same schedule', positive, 1 + (Date.now() % 1_000_000))
  .option('--relays <number>', 'relay processes', positive, 3)
  .option('--rate <number>', 'committed intents a minute to aim at', positive, 24_000)
  .addOption(
    new Option('--only <kinds>', `incidents of these kinds, with commas between: ${KINDS.join(', ')}`)
      .argParser(kinds)
      .default(KINDS, 'every kind'),
  )
  .option('--plan', 'print the schedule and do nothing')
const { minutes, seed, relays, rate, only, plan } = program.parse().opts<Flags>()
const entries = planSchedule(seed, minutes, relays, only)

if (plan) {
  console.log(describeSchedule(entries))
} else {
  console.log(`seed ${seed}, ${minutes} minutes, ${relays} relays, ${entries.length} incidents`)
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130))
  const result = await runSoak({ minutes, seed, relays, rate, entries, onProgress: show, onIncident: say })
  clearLine()
  report(result)
  const problems = problemsOf(result)
  if (problems.length > 0) {
    const again = `--minutes ${minutes} --seed ${seed} --relays ${relays} --rate ${rate}${only === KINDS ? '' : ` --only '${only.join()}'`}`
    console.log(`\nthe schedule of seed ${seed}:\n${describeSchedule(entries)}`)
    console.log(`\nFAILED\n  ${problems.join('\n  ')}`)
    if (result.explanations.length > 0) console.log(`\nby person:\n${result.explanations.join('\n')}`)
    console.log(`\nagain: npm run soak -- ${again}\nlogs of the relays: ${result.logs}`)
  }
  process.exit(problems.length > 0 ? 1 : 0)
}

function problemsOf({ verdict, misconduct, acknowledged }: SoakResult): string[] {
  const least = Math.floor((5 / 6) * rate * minutes)
  return [
    ...describeFindings(verdict),
    ...misconduct,
    ...(verdict.pending > 0 ? [`${verdict.pending} are still pending`] : []),
    ...(acknowledged < least ? [`only ${acknowledged} commits were acknowledged, of at least ${least}`] : []),
  ]
}

function report({ verdict, unknownCommits, rolledBack, requests, restarts, drainMs }: SoakResult): void {
  const { committed, delivered, deadLettered, resent, lostCommits, deliveredOfLost } = verdict
  console.log(
    [
      `committed ${committed} (${unknownCommits} of unknown outcome, resolved by their rows), rolled back ${rolledBack}`,
      `lost by Postgres ${lostCommits}, of which ${deliveredOfLost} had been delivered before`,
      `delivered ${delivered}, dead-lettered ${deadLettered}, sent again and dropped ${resent}`,
      `answers ${JSON.stringify(requests)}, relay processes started again ${restarts} times`,
      `drained ${(drainMs / 1_000).toFixed(1)} s after the last fault`,
    ].join('\n'),
  )
}

function show({ elapsedMs, committed, delivered, incidents, relaysRunning }: Progress): void {
  const seconds = Math.round(elapsedMs / 1_000)
  const line = `${String(seconds).padStart(5)} s  committed ${committed}  delivered ${delivered}  incidents ${incidents}/${entries.length}  relays ${relaysRunning}`
  if (process.stdout.isTTY) process.stdout.write(`\r\x1b[K${line}`)
  else if (seconds % 10 === 0) console.log(line)
}

function say(text: string): void {
  clearLine()
  console.log(text)
}

function clearLine(): void {
  if (process.stdout.isTTY) process.stdout.write('\r\x1b[K')
}

function positive(text: string): number {
  const value = Number(text)
  if (!(value > 0)) throw new InvalidArgumentError('Expected a number above 0.')
  return value
}

function kinds(text: string): Incident['kind'][] {
  const named = text.split(',').map((name) => KINDS.find((kind) => kind === name.trim()))
  if (named.includes(undefined)) throw new InvalidArgumentError(`Expected some of ${KINDS.join(', ')}.`)
  return named as Incident['kind'][]
}
