import { examine } from '../../observe/doctor/examine.ts'
import type { NamedFinding } from '../../observe/doctor/finding.ts'
import type { WorkspaceOptions } from '../../relay/options.ts'
import { EXIT } from '../errors.ts'
import { shorten } from '../output/format.ts'
import { redact } from '../output/redact.ts'
import { readConfigFile } from '../settings/config-file.ts'
import { allWorkspaces, type EnvironmentWorkspace, workspaceFromEnvironment } from '../settings/workspaces.ts'
import type { Target } from './connection.ts'

interface DoctorRun extends Target, EnvironmentWorkspace {
  readonly listenUrl?: string | undefined
  /** Path of the config file of relays. */
  readonly config?: string | undefined
}

/** Milliseconds from the start of the process to the end of the checks. */
const END_MS = 8_000
const LEAST_BUDGET_MS = 3_000

/**
 * Prints each finding when its check ends; with `json` all of them at the end. The exit status is 1 if a finding is a
 * failure.
 */
export async function runDoctor(given: DoctorRun, json: boolean): Promise<void> {
  const findings = await examine(
    {
      connectionString: given.databaseUrl,
      listenConnectionString: given.listenUrl,
      schema: given.schema,
      workspaces: await readWorkspaces(given),
      // A busy machine takes seconds to start the process: performance.now() counts from its start.
      budgetMs: Math.max(LEAST_BUDGET_MS, END_MS - performance.now()),
    },
    (finding) => json || console.log(redact(describe(finding))),
  )
  if (json) console.log(redact(JSON.stringify({ findings })))
  // A name that DNS does not resolve in time would keep the process.
  process.exit(findings.some(({ level }) => level === 'failure') ? EXIT.failed : EXIT.ok)
}

/** The workspaces of the environment and of the config file. Unlike a relay, doctor needs none. */
async function readWorkspaces(given: DoctorRun): Promise<Readonly<Record<string, WorkspaceOptions>>> {
  const fromEnvironment = workspaceFromEnvironment(given)
  const { config } = given
  if (config !== undefined) {
    return allWorkspaces(fromEnvironment, { path: config, workspaces: await readConfigFile(config) })
  }
  return fromEnvironment === undefined ? {} : { default: fromEnvironment }
}

/** One line, and a second one with the next step if there is a problem. */
function describe(finding: NamedFinding): string {
  const { level, name, what } = finding
  const start = `${level.padEnd(7)}  ${name.padEnd(18)}  `
  const next = finding.level === 'ok' ? '' : `\n${' '.repeat(start.length)}→ ${shorten(finding.next, 500)}`
  return `${start}${shorten(what, 500)}${next}`
}
