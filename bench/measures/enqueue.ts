import { fileURLToPath } from 'node:url'
import { runLoad } from '../load/load-process.ts'
import { type Mode, ORDERS } from '../load/transactions.ts'
import type { WritersResult, WritersTask } from '../load/writers.ts'
import { withClient } from '../machine/postgres.ts'
import { WorkerProcess } from '../machine/worker-process.ts'
import { judgeRun } from '../oracle/judge-run.ts'
import { installOutbox, relayCommand } from '../peers/outbox/peer.ts'
import type { Bench } from './bench.ts'
import { type Measure, median, ratioBar } from './measure.ts'

const WRITERS = 8
const WARM_UP_SECONDS = 1
/** An upper bound of the events per second: more than the writers can reach. */
const REFS_PER_SECOND = 200_000

interface Variant {
  readonly id: string
  readonly label: string
  readonly mode: Mode
  readonly perTransaction: number
  readonly prepare?: string
}

const VARIANTS: readonly Variant[] = [
  { id: 'bare', label: 'bare INSERT of a row with a payload', mode: 'bare', perTransaction: 1 },
  { id: 'enqueue', label: 'customerio-outbox: outbox.enqueue', mode: 'enqueue', perTransaction: 1 },
  {
    id: 'silent',
    label: 'customerio-outbox: outbox.enqueue, wake-up switched off',
    mode: 'enqueue',
    perTransaction: 1,
    prepare:
      'CREATE OR REPLACE FUNCTION outbox.wake_relays(destination text, lane integer) RETURNS boolean LANGUAGE sql AS $$SELECT false$$',
  },
  {
    id: 'unread',
    label: 'bare INSERT into a table that no relay reads',
    mode: 'bare-unread',
    perTransaction: 1,
  },
  { id: 'array', label: 'customerio-outbox: arrays of 1,000', mode: 'array', perTransaction: 1_000 },
  {
    id: 'array-payloads',
    label: 'enqueue_many from SQL: arrays of 1,000',
    mode: 'array-payloads',
    perTransaction: 1_000,
  },
]

export const enqueue: Measure = {
  id: 'enqueue',
  title: `Enqueue in the app's transaction: ${WRITERS} writers, BEGIN, an order, the event, COMMIT; a relay is running`,
  async run(bench) {
    const rates = new Map<string, number[]>(VARIANTS.map(({ id }) => [id, []]))
    const broken: string[] = []
    const template = await prepare(bench)
    for (let round = 1; round <= bench.settings.rounds; round++) {
      for (const variant of VARIANTS) {
        const { rate, faults } = await runOnce(bench, template, variant)
        rates.get(variant.id)?.push(rate * variant.perTransaction)
        broken.push(...faults.map((fault) => `enqueue, ${variant.id}: ${fault}`))
        bench.log(
          `round ${round}/${bench.settings.rounds}, ${variant.id}: ${Math.round(rate * variant.perTransaction)}/s`,
        )
      }
    }
    await bench.postgres.drop(template)
    const series = VARIANTS.map(({ id, label, perTransaction }) => ({
      label,
      unit: perTransaction === 1 ? 'transactions/s' : 'intents/s',
      values: rates.get(id) ?? [],
    }))
    const arrays = median(rates.get('array') ?? [])
    return {
      id: this.id,
      title: this.title,
      groups: [{ title: 'enqueue', series }],
      bars: [
        ratioBar('enqueue ≥ 0.92 × a bare INSERT', rates.get('enqueue'), rates.get('bare'), { least: 0.92 }),
        ratioBar('enqueue ≥ 0.95 × itself with the wake-up off', rates.get('enqueue'), rates.get('silent'), {
          least: 0.95,
        }),
        {
          says: 'arrays of 1,000 ≥ 25,000 intents/s',
          measured: arrays,
          bound: { least: 25_000 },
          unit: 'intents/s',
        },
      ],
      broken,
      charts: [
        {
          name: 'enqueue',
          title: 'Enqueue with 8 writers: transactions/s',
          bars: series.slice(0, 3),
          unit: '/s',
        },
      ],
    }
  },
}

async function prepare({ postgres }: Bench): Promise<string> {
  const url = await postgres.create()
  await installOutbox(url)
  await withClient(url, async (client) => {
    await client.query(ORDERS)
    await client.query('CREATE TABLE unread_intents (LIKE outbox.intents INCLUDING ALL)')
    const { rows } = await client.query<{ at: string | null }>(
      `SELECT to_regprocedure('outbox.wake_relays(text, integer)') AS at`,
    )
    if (rows[0]?.at === null)
      throw new Error(
        'Expected the function outbox.wake_relays(text, integer), got none; update the variant "silent"',
      )
  })
  return url
}

async function runOnce(
  { api, postgres, settings }: Bench,
  template: string,
  { mode, perTransaction, prepare }: Variant,
): Promise<{ rate: number; faults: string[] }> {
  const databaseUrl = await postgres.create(template)
  if (prepare) await withClient(databaseUrl, (client) => client.query(prepare))
  const seconds = settings.sizes.enqueueSeconds
  await api.begin((WARM_UP_SECONDS + seconds) * REFS_PER_SECOND, 0)
  const relay = await WorkerProcess.start(relayCommand({ storeUrl: databaseUrl, apiUrl: api.url }))
  try {
    const task: WritersTask = {
      databaseUrl,
      mode,
      writers: WRITERS,
      perTransaction,
      warmUpSeconds: WARM_UP_SECONDS,
      seconds,
    }
    const { transactionsPerSecond, committed } = await runLoad<WritersResult>(WRITERS_SCRIPT, task)
    if (mode === 'bare-unread') return { rate: transactionsPerSecond, faults: [] }
    await Promise.race([api.untilSeen(committed.size), relay.failed])
    await relay.stop()
    return { rate: transactionsPerSecond, faults: await judgeRun(api, databaseUrl, () => committed) }
  } finally {
    await relay.stop()
    await postgres.drop(databaseUrl)
  }
}

const WRITERS_SCRIPT = fileURLToPath(new URL('../load/writers.ts', import.meta.url))
