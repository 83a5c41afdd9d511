import type { Command } from 'commander'
import type { Database } from '../../store/connection/database.ts'
import { CHECKS, type Finding, runCheck } from './doctor-checks.ts'
import { EXIT } from '../errors.ts'
import { shorten } from '../output/format.ts'
import { redact } from '../output/redact.ts'
import { addDatabaseOptions, addExamples, addJsonOption } from './shared-options.ts'
import { withDatabase } from './connection.ts'
import { readSettings, settings } from '../settings/settings.ts'

const doctorSettings = { databaseUrl: settings.databaseUrl, schema: settings.schema }

type Named = Finding & { readonly name: string }

/** `customerio-outbox doctor` */
export function addDoctorCommand(program: Command): void {
  const command = program
    .command('doctor')
    .description('check the database, the schema and the fleet; print a next step for each problem')
    .action(async (flags) => {
      const given = readSettings(doctorSettings, flags)
      await withDatabase(given, 'doctor', (db) => run(db, Boolean(flags.json)))
    })
  addJsonOption(addDatabaseOptions(command))
  addExamples(command, [
    ['before a deployment, or during a problem', 'doctor'],
    ['for a script', 'doctor --json | jq \'.findings[] | select(.level != "ok")\''],
  ])
}

async function run(db: Database, json: boolean): Promise<void> {
  const findings: Named[] = []
  for (const check of CHECKS) {
    const found = await runCheck(check, db)
    findings.push(...found.map((finding) => ({ name: check.name, ...finding })))
    if (check === CHECKS[0] && failed(found)) break
  }
  if (json) console.log(redact(JSON.stringify({ findings })))
  else for (const finding of findings) console.log(redact(describe(finding)))
  if (failed(findings)) process.exitCode = EXIT.failed
}

function failed(findings: readonly Finding[]): boolean {
  return findings.some(({ level }) => level === 'failure')
}

/** One line, and a second one with the next step if there is a problem. */
function describe(finding: Named): string {
  const { level, name, what } = finding
  const start = `${level.padEnd(7)}  ${name.padEnd(18)}  `
  const next = finding.level === 'ok' ? '' : `\n${' '.repeat(start.length)}→ ${shorten(finding.next, 500)}`
  return `${start}${shorten(what, 500)}${next}`
}
