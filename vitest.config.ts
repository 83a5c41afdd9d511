import path from 'node:path'
import { configDefaults, defineConfig } from 'vitest/config'
import { LongestFirst } from './test/support/vitest/longest-first.ts'

// The tests start many processes of Node.js. With the cache each takes 0.6 s less CPU time to load the sources.
process.env.NODE_COMPILE_CACHE ??= path.join(import.meta.dirname, 'node_modules/.cache/node-compile-cache')

/** Files that compare rates, or bound the time to an answer or a delivery. A busy machine does not keep those bounds, so they run alone. */
const RATES = [
  'test/faults/07-four-relays.test.ts',
  'test/faults/25-notifications-lost.test.ts',
  'test/faults/26-commit-rate.test.ts',
  'test/faults/27-open-transaction.test.ts',
  'test/faults/28-host-clock.test.ts',
  'test/faults/52-failing-share.test.ts',
  'test/faults/52-health-port.test.ts',
  'test/integration/broadcast-limit.test.ts',
  'test/integration/bulk-priority.test.ts',
  'test/integration/idle-lanes.test.ts',
  'test/integration/limits-fleet.test.ts',
  'test/integration/relay-polls.test.ts',
]

export default defineConfig({
  test: {
    globalSetup: ['test/support/vitest/global-setup.ts'],
    // A worker runs many files and loads the modules once: 2 s of CPU time less for each file.
    isolate: false,
    testTimeout: 60_000,
    hookTimeout: 120_000,
    sequence: { sequencer: LongestFirst },
    // Each file has a database of its own. CI has two cores.
    projects: [
      {
        extends: true,
        test: {
          name: 'waits',
          include: ['test/**/*.test.ts'],
          exclude: [...configDefaults.exclude, ...RATES],
          maxWorkers: 2,
          sequence: { groupOrder: 0 },
        },
      },
      { extends: true, test: { name: 'rates', include: RATES, maxWorkers: 1, sequence: { groupOrder: 1 } } },
    ],
  },
})
