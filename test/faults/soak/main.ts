import { Command, InvalidArgumentError, Option } from 'commander'
import { describeFindings } from '../support/shop/oracle.ts'
import { describeSchedule } from './incidents/run-schedule.ts'
import { type Progress, runSoak, type SoakResult } from './run-soak.ts'
import { type Incident, KINDS, planSchedule } from './incidents/schedule.ts'

/** Options of `npm run soak -- --minutes 10 --seed 7`. */
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
      'Injects random faults while writers commit and relays deliver, then checks the',
      'result. Relays are killed and frozen; connections are cut or go silent.',
      'Postgres restarts, fails over to a lagging replica, and crashes with loss of',
      'acknowledged commits; its clock steps, if libfaketime is installed. Customer.io',
      'is slow, down, rate limited, and answers with garbage; a gateway in front of it',
      'answers by itself. Then the faults end and the backlog drains. The oracle',
      'reports intents that were lost, sent although rolled back, out of order, or',
      'applied twice. Commits that Postgres lost are counted separately. The exit',
      'status is 1 if the oracle reports anything, or if something else goes wrong: a',
      'relay fails, the backlog does not drain, or too few intents are committed.',
    ].join('\n'),
  )
  .option('--minutes <number>', 'duration of the faults in minutes', positive, 10)
  .option(
    '--seed <number>',
    'seed of the schedule; equal seeds give equal schedules',
    positive,
    1 + (Date.now() % 1_000_000),
  )
  .option('--relays <number>', 'number of relay processes', positive, 3)
  .option('--rate <number>', 'target rate in committed intents per minute', positive, 24_000)
  .addOption(
    new Option('--only <kinds>', `comma-separated kinds of incidents: ${KINDS.join(', ')}`)
      .argParser(kinds)
      .default(KINDS, 'every kind'),
  )
  .option('--plan', 'print the schedule and exit')
const { minutes, seed, relays, rate, only, plan } = program.parse().opts<Flags>()
const entries = planSchedule(seed, minutes, relays, only)

if (plan) {
  console.log(describeSchedule(entries))
} else {
  console.log(`seed ${seed}, ${minutes} minutes, ${relays} relays, ${entries.length} incidents`)
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130))
  const result = await runSoak({
    minutes,
    seed,
    relays,
    rate,
    entries,
    onProgress: printProgress,
    onIncident: printIncident,
  })
  clearLine()
  report(result)
  const failures = failuresOf(result)
  if (failures.length > 0) {
    const command = `--minutes ${minutes} --seed ${seed} --relays ${relays} --rate ${rate}${only === KINDS ? '' : ` --only '${only.join()}'`}`
    console.log(`\nthe schedule of seed ${seed}:\n${describeSchedule(entries)}`)
    console.log(`\nFAILED\n  ${failures.join('\n  ')}`)
    if (result.explanations.length > 0) console.log(`\nby person:\n${result.explanations.join('\n')}`)
    console.log(`\nrun again: npm run soak -- ${command}\nlogs of the relays: ${result.logs}`)
  }
  process.exit(failures.length > 0 ? 1 : 0)
}

function failuresOf({ verdict, problems, acknowledged }: SoakResult): string[] {
  const least = Math.floor((5 / 6) * rate * minutes)
  return [
    ...describeFindings(verdict),
    ...problems,
    ...(verdict.pending > 0 ? [`expected an empty queue, got ${verdict.pending} pending intents`] : []),
    ...(acknowledged < least ? [`expected at least ${least} acknowledged commits, got ${acknowledged}`] : []),
  ]
}

function report({ verdict, unknownCommits, rolledBack, requests, restarts, drainMs }: SoakResult): void {
  const { committed, delivered, deadLettered, resent, lostCommits, deliveredOfLost } = verdict
  console.log(
    [
      `committed ${committed} (including ${unknownCommits} of unknown outcome, resolved by their rows), rolled back ${rolledBack}`,
      `lost by Postgres ${lostCommits} (${deliveredOfLost} of them delivered before the loss)`,
      `delivered ${delivered}, dead-lettered ${deadLettered}, resent and deduplicated ${resent}`,
      `answers by status ${JSON.stringify(requests)}, relay restarts ${restarts}`,
      `drained ${(drainMs / 1_000).toFixed(1)} s after the last fault`,
    ].join('\n'),
  )
}

function printProgress({ elapsedMs, committed, delivered, incidents, relaysRunning }: Progress): void {
  const seconds = Math.round(elapsedMs / 1_000)
  const line = `${String(seconds).padStart(5)} s  committed ${committed}  delivered ${delivered}  incidents ${incidents}/${entries.length}  relays ${relaysRunning}`
  if (process.stdout.isTTY) process.stdout.write(`\r\x1b[K${line}`)
  else if (seconds % 10 === 0) console.log(line)
}

function printIncident(text: string): void {
  clearLine()
  console.log(text)
}

function clearLine(): void {
  if (process.stdout.isTTY) process.stdout.write('\r\x1b[K')
}

function positive(text: string): number {
  const value = Number(text)
  if (!(value > 0)) throw new InvalidArgumentError(`Expected a number above 0, got ${text}.`)
  return value
}

function kinds(text: string): Incident['kind'][] {
  const named = text.split(',').map((name) => KINDS.find((kind) => kind === name.trim()))
  if (named.includes(undefined))
    throw new InvalidArgumentError(`Expected one or more of ${KINDS.join(', ')}, got ${text}.`)
  return named as Incident['kind'][]
}
