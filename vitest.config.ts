import path from 'node:path'
import { configDefaults, defineConfig } from 'vitest/config'
import { LongestFirst } from './test/support/vitest/longest-first.ts'

// The tests start many processes of Node.js. With this cache each process needs 0.6 s less CPU time to load the sources.
process.env.NODE_COMPILE_CACHE ??= path.join(import.meta.dirname, 'node_modules/.cache/node-compile-cache')

/** Files that compare rates. Any other work on the machine changes the rates, so each of these files runs alone. */
const RATES = [
  'test/faults/07-four-relays.test.ts',
  'test/faults/26-commit-rate.test.ts',
  'test/faults/27-open-transaction.test.ts',
  'test/integration/bulk-priority.test.ts',
]

/** Files that check how long an answer or a delivery takes. They mostly wait, so two of them run at a time. */
const TIMED = [
  'test/faults/25-notifications-lost.test.ts',
  'test/faults/28-host-clock.test.ts',
  'test/faults/52-failing-share.test.ts',
  'test/faults/52-health-port.test.ts',
  'test/integration/broadcast-limit.test.ts',
  'test/integration/cli-doctor.test.ts',
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
    // Each file has a database of its own. The worker counts are for two cores.
    projects: [
      {
        extends: true,
        test: {
          name: 'all',
          include: ['test/**/*.test.ts'],
          exclude: [...configDefaults.exclude, ...RATES, ...TIMED],
          maxWorkers: 2,
          sequence: { groupOrder: 0 },
        },
      },
      { extends: true, test: { name: 'timed', include: TIMED, maxWorkers: 2, sequence: { groupOrder: 1 } } },
      { extends: true, test: { name: 'rates', include: RATES, maxWorkers: 1, sequence: { groupOrder: 2 } } },
    ],
  },
})
