import path from 'node:path'
import { defineConfig } from 'vitest/config'
import { LongestFirst } from './test/support/longest-first.ts'

// The tests start many processes of Node.js. With the cache each takes 0.4 s less CPU time to load the sources.
process.env.NODE_COMPILE_CACHE ??= path.join(import.meta.dirname, 'node_modules/.cache/node-compile-cache')

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/support/global-setup.ts'],
    // Four files at a time on the two cores of CI: most files wait for servers and timers. Each has its own database.
    maxWorkers: 4,
    sequence: { sequencer: LongestFirst },
    // A worker runs many files and loads the modules once: 2 s of CPU time less for each file.
    isolate: false,
    testTimeout: 60_000,
    hookTimeout: 120_000,
  },
})
