import { BaseSequencer, type TestSpecification } from 'vitest/node'

/** The files that take longest, in descending order, as measured on two cores. */
const LONGEST = [
  'test/integration/demo-cleanup.test.ts',
  'test/integration/app-ambiguity.test.ts',
  'test/readme/readme.test.ts',
  'test/integration/cli-settings.test.ts',
  'test/faults/23-listen-half-open.test.ts',
  'test/integration/demo.test.ts',
  'test/faults/40-rejected-backlog.test.ts',
  'test/faults/43-database-clock.test.ts',
  'test/faults/36-extreme-callers.test.ts',
  'test/faults/39-blocked-content.test.ts',
]

/**
 * Starts the longest files first, so that none of them is left alone at the end. Vitest knows durations only after a
 * first run. In the first run it sorts by the size of the files.
 */
export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files)
    const rank = ({ moduleId }: TestSpecification) => {
      const found = LONGEST.findIndex((name) => moduleId.endsWith(name))
      return found === -1 ? LONGEST.length : found
    }
    return sorted.sort((a, b) => rank(a) - rank(b))
  }
}
