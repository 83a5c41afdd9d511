import { createWriteStream } from 'node:fs'
import { finished } from 'node:stream/promises'
import type { BackfillSource } from '../../../operate/backfill.ts'
import { EXIT } from '../../errors.ts'
import { count } from '../../output/format.ts'
import { checkRow } from './intent-of-row.ts'
import { openProgress } from './progress.ts'
import type { Source } from './source.ts'

const CHUNK = 2_000
const CAMPAIGN_WINDOW_MS = 72 * 3_600_000
const EXAMPLES = 5

interface Findings {
  valid: number
  invalid: number
  /** Rows by message of the error, with some keys. */
  readonly errors: Map<string, { count: number; keys: string[] }>
  /** Events whose timestamp is older than 72 h. */
  old: number
}

/** Checks every row and stores nothing. The exit status is 1 if a row is invalid. */
export async function dryRun(
  source: Source,
  given: BackfillSource,
  report: string | undefined,
  json: boolean,
): Promise<void> {
  const findings: Findings = { valid: 0, invalid: 0, errors: new Map(), old: 0 }
  const file = report === undefined ? undefined : createWriteStream(report, { mode: 0o600 })
  const progress = openProgress(source.total, 0)
  try {
    let after: string | null = null
    for (;;) {
      const rows = await source.read(after, CHUNK)
      for (const row of rows) {
        const checked = checkRow(row, given)
        note(findings, checked)
        if (checked.kind === 'invalid')
          file?.write(`${JSON.stringify({ key: checked.key, error: checked.error })}\n`)
      }
      progress.update(findings.valid + findings.invalid)
      after = rows.at(-1)?.key ?? after
      if (rows.length < CHUNK) break
    }
  } finally {
    progress.close()
    file?.end()
    if (file) await finished(file)
  }
  print(findings, given, report, json)
  if (findings.invalid > 0) process.exitCode = EXIT.failed
}

function note(findings: Findings, checked: ReturnType<typeof checkRow>): void {
  if (checked.kind === 'valid') {
    findings.valid += 1
    if (checked.timestamp !== undefined && checked.timestamp * 1_000 < Date.now() - CAMPAIGN_WINDOW_MS)
      findings.old += 1
    return
  }
  findings.invalid += 1
  const of = findings.errors.get(checked.error) ?? { count: 0, keys: [] }
  of.count += 1
  if (of.keys.length < EXAMPLES) of.keys.push(checked.key)
  findings.errors.set(checked.error, of)
}

function print(
  { valid, invalid, errors, old }: Findings,
  { as }: BackfillSource,
  report: string | undefined,
  json: boolean,
): void {
  const reasons = [...errors].map(([error, { count, keys }]) => ({ error, count, keys }))
  if (json) {
    console.log(JSON.stringify({ valid, invalid, olderThan72h: old, errors: reasons, report }))
    return
  }
  console.log(`${count(valid)} rows are valid, ${count(invalid)} are not`)
  for (const { error, count: rows, keys } of reasons)
    console.log(`  ${count(rows)} rows: ${error} (such as ${keys.join(', ')})`)
  const warning = campaignWarning(as, valid, old)
  if (warning !== undefined) console.log(warning)
  if (report !== undefined) console.log(`report: ${report}`)
}

/** Customer.io triggers campaigns for events that are younger than 72 hours. Undefined if the operation is no event. */
function campaignWarning(as: string, valid: number, old: number): string | undefined {
  if (!['track', 'trackPageView', 'trackScreen', 'trackAnonymous'].includes(as)) return undefined
  const young = valid - old
  return young > 0
    ? `${count(young)} events are younger than 72 h or have no timestamp: they may TRIGGER CAMPAIGNS; ${count(old)} are older and trigger none`
    : 'all events are older than 72 h: they trigger no campaign'
}
