import type { Database } from '../../store/connection/database.ts'
import { EXIT } from '../errors.ts'
import { shorten } from '../output/format.ts'
import { redact } from '../output/redact.ts'
import { type Target, withDatabase } from './connection.ts'
import { CHECKS, type Finding, runCheck } from './doctor-checks.ts'

type Named = Finding & { readonly name: string }

/** Prints the findings of the checks. The exit status is 1 if a finding is a failure. */
export async function runDoctor(target: Target, json: boolean): Promise<void> {
  await withDatabase(target, 'doctor', (db) => examine(db, json))
}

async function examine(db: Database, json: boolean): Promise<void> {
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
