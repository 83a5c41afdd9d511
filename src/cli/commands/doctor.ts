import type { Command } from 'commander'
import type { Database } from '../../store/connection/database.ts'
import { CHECKS, type Finding, runCheck } from './doctor-checks.ts'
import { EXIT } from '../errors.ts'
import { shorten } from '../output/format.ts'
import { redact } from '../output/redact.ts'
import { addDatabaseOptions, addExamples, addJsonOption } from './shared-options.ts'
import { withDatabase } from './pause.ts'
import { readSettings, settings } from '../settings/settings.ts'

const doctorSettings = { databaseUrl: settings.databaseUrl, schema: settings.schema }

type Named = Finding & { readonly name: string }

/** `customerio-outbox doctor` */
export function addDoctorCommand(program: Command): void {
  const command = program
    .command('doctor')
    .description('check the database, the schema and the fleet; each finding with what to do')
    .action(async (flags) => {
      const given = readSettings(doctorSettings, flags)
      await withDatabase(given, 'doctor', (db) => run(db, Boolean(flags.json)))
    })
  addJsonOption(addDatabaseOptions(command))
  addExamples(command, [
    ['before a deployment, and when something is wrong', 'doctor'],
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
  else for (const finding of findings) console.log(redact(line(finding)))
  if (failed(findings)) process.exitCode = EXIT.failed
}

function failed(findings: readonly Finding[]): boolean {
  return findings.some(({ level }) => level === 'failure')
}

function line(finding: Named): string {
  const { level, name, what } = finding
  const next = finding.level === 'ok' ? [] : [finding.next]
  return [level.padEnd(7), name.padEnd(18), ...[what, ...next].map((text) => shorten(text, 500))].join('  ')
}
