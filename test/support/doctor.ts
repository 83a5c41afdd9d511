import { examine, type Target } from '../../src/observe/doctor/examine.ts'
import type { NamedFinding } from '../../src/observe/doctor/finding.ts'

/** Runs doctor in this process, and returns the findings of one check: `level`, `what`, and `next` if there is one. */
export async function findingsOf(
  check: string,
  connectionString: string,
  options: Partial<Omit<Target, 'connectionString'>> = {},
): Promise<Omit<NamedFinding, 'name'>[]> {
  const findings = await examine({
    connectionString,
    listenConnectionString: undefined,
    workspaces: {},
    schema: undefined,
    ...options,
  })
  return findings.filter(({ name }) => name === check).map(({ name: _, ...finding }) => finding)
}
