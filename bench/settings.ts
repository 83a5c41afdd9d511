import { parseArgs } from 'node:util'

export const MEASURES = ['drain', 'enqueue', 'latency', 'growth', 'fleet', 'idle', 'libraries'] as const
export type MeasureId = (typeof MEASURES)[number]

export interface Settings {
  readonly only: readonly MeasureId[]
  readonly rounds: number
  readonly quick: boolean
  readonly assert: boolean
  readonly json: boolean
  readonly sizes: Sizes
}

/** Sizes of all measures. Those of `--quick` are so small that its results must not be quoted. */
export interface Sizes {
  /** Intents of a drain. */
  readonly drain: number
  /** Seconds of writing with 8 writers, per variant and round. */
  readonly enqueueSeconds: number
  /** Seconds of 100 commits/s, per loop and round. */
  readonly latencySeconds: number
  /** Pending intents of the large backlog of `growth`. */
  readonly backlog: number
  /** Pending intents of the small backlog that it is compared with. */
  readonly smallBacklog: number
  /** Seconds of draining the large backlog. */
  readonly growthSeconds: number
  /** Delivered rows of the pruned day. */
  readonly delivered: number
  /** Intents of a run of `fleet`. */
  readonly fleet: number
  /** Seconds of measuring an idle relay. */
  readonly idleSeconds: number
  /** Transactions of each kind, per library and round. */
  readonly libraryTransactions: number
}

const FULL_SIZES: Sizes = {
  drain: 200_000,
  enqueueSeconds: 10,
  latencySeconds: 20,
  backlog: 5_000_000,
  smallBacklog: 100_000,
  growthSeconds: 20,
  delivered: 5_000_000,
  fleet: 200_000,
  idleSeconds: 30,
  libraryTransactions: 1_000,
}

const QUICK_SIZES: Sizes = {
  drain: 20_000,
  enqueueSeconds: 2,
  latencySeconds: 3,
  backlog: 200_000,
  smallBacklog: 20_000,
  growthSeconds: 3,
  delivered: 100_000,
  fleet: 40_000,
  idleSeconds: 5,
  libraryTransactions: 200,
}

export const USAGE = `Usage: npm run bench -- [options]

Measures customerio-outbox next to other queues. Writes results to bench/results, and charts to docs/images.

Options:
  --only <ids>   comma-separated measures to run: ${MEASURES.join(', ')} (default: all)
  --rounds <n>   number of interleaved rounds, 1 to 100 (default: 3, with --quick 1)
  --quick        small sizes, for a trial run; writes results and charts to bench/results/quick
  --assert       exit with status 1 if a bar does not hold or a promise is violated
  --json         print the results as JSON on stdout, instead of tables
  --help         print this help`

/** Parses the command line. @throws Error with a one-line message if an option is wrong. */
export function readSettings(args: readonly string[]): Settings | 'help' {
  const { values } = parseArgs({
    args: [...args],
    options: {
      only: { type: 'string' },
      rounds: { type: 'string' },
      quick: { type: 'boolean', default: false },
      assert: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return 'help'
  const rounds = Number(values.rounds ?? (values.quick ? 1 : 3))
  if (!Number.isInteger(rounds) || rounds < 1 || rounds > 100) {
    throw new Error(`Expected --rounds to be a whole number from 1 to 100, got ${values.rounds}`)
  }
  return {
    only: values.only === undefined ? MEASURES : values.only.split(',').map(measureId),
    rounds,
    quick: values.quick,
    assert: values.assert,
    json: values.json,
    sizes: values.quick ? QUICK_SIZES : FULL_SIZES,
  }
}

function measureId(name: string): MeasureId {
  const known = MEASURES.find((id) => id === name.trim())
  if (known === undefined)
    throw new Error(`Expected --only to be one or more of ${MEASURES.join(', ')}, got ${name}`)
  return known
}
