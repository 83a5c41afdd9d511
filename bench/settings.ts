import { parseArgs } from 'node:util'

export const MEASURES = ['drain', 'enqueue', 'latency', 'growth', 'fleet', 'idle'] as const
export type MeasureId = (typeof MEASURES)[number]

export interface Settings {
  readonly only: readonly MeasureId[]
  readonly rounds: number
  readonly quick: boolean
  readonly assert: boolean
  readonly json: boolean
  readonly sizes: Sizes
}

/** How much of everything; `quick` is for trying, and its figures are not to be quoted. */
export interface Sizes {
  /** Intents of a drain. */
  readonly drain: number
  /** Seconds that 8 writers write per variant and round. */
  readonly enqueueSeconds: number
  /** Seconds of 100 commits/s, per loop and round. */
  readonly latencySeconds: number
  /** Pending intents, and the fewer ones that they are compared with. */
  readonly backlog: number
  readonly smallBacklog: number
  /** Seconds of the drain of the large backlog. */
  readonly growthSeconds: number
  /** Delivered rows of the day that is pruned. */
  readonly delivered: number
  readonly fleet: number
  readonly idleSeconds: number
}

const FULL: Sizes = {
  drain: 200_000,
  enqueueSeconds: 10,
  latencySeconds: 20,
  backlog: 5_000_000,
  smallBacklog: 100_000,
  growthSeconds: 20,
  delivered: 5_000_000,
  fleet: 200_000,
  idleSeconds: 30,
}

const QUICK: Sizes = {
  drain: 20_000,
  enqueueSeconds: 2,
  latencySeconds: 3,
  backlog: 200_000,
  smallBacklog: 20_000,
  growthSeconds: 3,
  delivered: 100_000,
  fleet: 40_000,
  idleSeconds: 5,
}

export const USAGE = `npm run bench -- [flags]
  --only ${MEASURES.join(',')}   measure only these
  --rounds <n>   interleaved rounds (default 3)
  --quick        small sizes and one round, for trying
  --assert       exit status 1 where a bar does not hold, with the bar
  --json         print the results as JSON, nothing else
  --help`

/** @throws Error with one line that says what is wrong. */
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
    throw new Error(`--rounds must be a whole number from 1 to 100, got ${values.rounds}`)
  }
  return {
    only: values.only === undefined ? MEASURES : values.only.split(',').map(measureId),
    rounds,
    quick: values.quick,
    assert: values.assert,
    json: values.json,
    sizes: values.quick ? QUICK : FULL,
  }
}

function measureId(name: string): MeasureId {
  const known = MEASURES.find((id) => id === name.trim())
  if (known === undefined) throw new Error(`--only takes ${MEASURES.join(', ')}; got ${name}`)
  return known
}
