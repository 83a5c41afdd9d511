import type { Command } from 'commander'
import { SettingError } from '../errors.ts'

const REASONS = ['rejected', 'too_large', 'expired', 'invalid', 'ambiguous', 'exhausted']

/** Adds the flags of a filter. Each may be given several times, and then matches any of its values. */
export function addFilterOptions(command: Command, of: 'dead letters' | 'intents'): Command {
  const collect = (value: string, previous: string[] = []) => [...previous, value]
  const time = of === 'dead letters' ? 'that died' : 'that were enqueued (replay: delivered)'
  command
    .option('--ids <id>', 'UUID or ULID of an intent', collect)
    .option('--destination <name>', '<workspace>/<api>', collect)
    .option('--workspace <name>', 'workspace', collect)
    .option('--operation <name>', 'operation, such as track', collect)
    .option('--name <name>', 'event, screen, path, template or broadcast', collect)
    .option('--person <identifier>', 'id, email, phone or cio_id of a person; phone:… for a kind', collect)
    .option('--since <time>', `those ${time} since: a time, or an age such as 2h, 30m, 3d`)
    .option('--until <time>', 'those before: a time, or an age')
  if (of === 'intents') return command
  return command
    .option('--reason <reason>', REASONS.join(', '), collect)
    .option('--status <code>', 'HTTP status of the answer', collect)
    .option('--message <text>', 'part of the message, in any case')
}

const FIELDS = [
  'ids',
  'destination',
  'workspace',
  'operation',
  'name',
  'person',
  'reason',
  'status',
  'message',
] as const

/**
 * The filter of the flags, as the SQL functions take it.
 *
 * @throws SettingError for a time that is neither a time nor an age.
 */
export function filterOf(
  flags: Readonly<Record<string, unknown>>,
  now: Date = new Date(),
): Record<string, unknown> {
  const given = FIELDS.flatMap((field) =>
    flags[field] === undefined ? [] : [[field, flags[field]] as const],
  )
  const times = (['since', 'until'] as const).flatMap((field) =>
    flags[field] === undefined ? [] : [[field, timeOf(`--${field}`, String(flags[field]), now)] as const],
  )
  return Object.fromEntries([...given, ...times])
}

const UNIT_MS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/**
 * A time in ISO form, or an age such as `90s`, `30m`, `2h` or `3d`, which is that long ago.
 *
 * @throws SettingError for any other text.
 */
export function timeOf(flag: string, text: string, now: Date): string {
  const [, amount, unit] = text.match(/^(\d{1,9})\s*([smhd])$/) ?? []
  if (amount !== undefined && unit !== undefined)
    return new Date(now.getTime() - Number(amount) * (UNIT_MS[unit] ?? 0)).toISOString()
  const time = /^\d{4}-\d{2}-\d{2}/.test(text) ? new Date(text) : new Date(Number.NaN)
  if (!Number.isNaN(time.getTime())) return time.toISOString()
  throw new SettingError(
    `Expected ${flag} to be a time such as 2026-11-29T03:00:00Z, or an age such as 2h, 30m or 3d, got ${JSON.stringify(text)}`,
  )
}
