import type { ClientBase } from 'pg'
import type { EventPlan } from '../../intent/plan/event-schema.ts'
import { fieldsOf } from '../../intent/plan/plan-fields.ts'
import { schemasOf } from '../../intent/plan/plan.ts'
import type { Names } from '../names.ts'

/** The tracking plan that SQL callers are to be held to. */
export interface WantedPlan {
  /** The required fields of each event, by its name. Null: no plan. */
  readonly required: Readonly<Record<string, readonly string[]>> | null
  readonly strict: boolean
}

/**
 * Reads the names and the required fields of a plan. If a schema does not say its fields, only its name is checked.
 *
 * @throws {InvalidOptionError} if `events` is no plan.
 */
export function wantedPlan(events: EventPlan | null, strict = true): WantedPlan {
  if (events === null) return { required: null, strict }
  const fields = fieldsOf(schemasOf(events))
  return {
    required: Object.fromEntries(fields.map(({ name, required }) => [name, required ?? []])),
    strict,
  }
}

/** What `migrate` did to the plan. */
export type PlanChange = 'installed' | 'removed' | 'unchanged'

/** Installs the plan, or removes it, in the caller's transaction. */
export async function installEventPlan(
  client: Pick<ClientBase, 'query'>,
  names: Names,
  wanted: WantedPlan,
): Promise<PlanChange> {
  if (await isInstalled(client, names, wanted)) return 'unchanged'
  await client.query(`SELECT ${names.q}.install_event_plan($1::text::jsonb, $2)`, [
    wanted.required && JSON.stringify(wanted.required),
    wanted.strict,
  ])
  return wanted.required === null ? 'removed' : 'installed'
}

/** The installation as a script. '' if the plan is installed already. */
export async function eventPlanScript(
  client: Pick<ClientBase, 'query'>,
  names: Names,
  wanted: WantedPlan,
): Promise<string> {
  const { rows } = await client.query('SELECT to_regclass($1) IS NOT NULL AS present', [
    `${names.q}.event_plan`,
  ])
  if (rows[0].present ? await isInstalled(client, names, wanted) : wanted.required === null) return ''
  const plan = wanted.required === null ? 'NULL' : quoted(JSON.stringify(wanted.required))
  return `SELECT ${names.q}.install_event_plan(${plan}, ${wanted.strict});`
}

/** A literal that is read the same with any standard_conforming_strings. */
function quoted(text: string): string {
  return `E'${text.replace(/['\\]/g, '$&$&')}'`
}

async function isInstalled(
  client: Pick<ClientBase, 'query'>,
  { q }: Names,
  { required, strict }: WantedPlan,
): Promise<boolean> {
  const { rows } = await client.query<{ name: string; required: string[] }>(
    `SELECT name, required FROM ${q}.event_plan`,
  )
  const { rows: functions } = await client.query<{ source: string }>(
    'SELECT prosrc AS source FROM pg_proc WHERE oid = to_regprocedure($1)',
    [`${q}.planned(text, jsonb)`],
  )
  const source = functions[0]?.source ?? ''
  if (required === null) return rows.length === 0 && !source.includes('check_event')
  return (
    source.includes(`check_event(operation, payload, ${strict})`) &&
    rows.length === Object.keys(required).length &&
    rows.every((row) => Object.hasOwn(required, row.name) && sameList(row.required, required[row.name] ?? []))
  )
}

function sameList(one: readonly string[], other: readonly string[]): boolean {
  return one.length === other.length && one.every((value, n) => value === other[n])
}
