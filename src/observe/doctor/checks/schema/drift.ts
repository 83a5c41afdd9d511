import type { CatalogObject } from '../../../../store/drift/catalog-object.ts'
import { type Drift, tableOf } from '../../../../store/drift/find-drift.ts'
import { schemaDrift } from '../../../../store/drift/schema-drift.ts'
import { readSchemaState, supportedSchemaVersion } from '../../../../store/migrate/schema-version.ts'
import type { Names } from '../../../../store/names.ts'
import { select } from '../../../views/queryable.ts'
import type { Check, Installation } from '../../check.ts'
import { failure, type Finding, ok, warning } from '../../finding.ts'

/** The most differences with a line of their own. */
const MOST_NAMED = 20
const SECTION = 'see docs/operations.md#schema-drift'

/** Compares every object of the schema with what the migrations of this package make. A tracking plan and required encryption are no differences. */
export const drift: Check = { name: 'drift', run: checkDrift }

async function checkDrift({ db, names }: Installation): Promise<readonly Finding[]> {
  const query = <Row extends object>(text: string, values: readonly unknown[] = []) =>
    select<Row>(db, text, [...values])
  const state = await readSchemaState(query, names)
  if (state?.version !== supportedSchemaVersion()) {
    return [ok('not compared: the schema is not at the version of this package')]
  }
  const drifts = await schemaDrift(query, names)
  if (drifts.length === 0) return [ok('every object is as the migrations made it')]
  const more = drifts.length - MOST_NAMED
  return [
    ...drifts.slice(0, MOST_NAMED).map((one) => describe(one, names)),
    ...(more > 0 ? [failure(`${more} more differences`, SECTION)] : []),
  ]
}

function describe(one: Drift, names: Names): Finding {
  switch (one.change) {
    case 'missing':
      return failure(`${titleOf(one.expected, names)} is missing`, repairOf(one.expected, names))
    case 'unexpected':
      return warning(`${titleOf(one.found, names)} is not from a migration`, SECTION)
    case 'changed':
      return failure(`${titleOf(one.found, names)} ${difference(one)}`, repairOfChange(one, names))
  }
}

/** `function outbox.lane_of(text, text, text)`, `column outbox.intents.seq`, `constraint intents_lane on outbox.intents`. */
function titleOf({ kind, name }: CatalogObject, { schema }: Names): string {
  const [object, table] = name.split(' on ')
  return table === undefined ? `${kind} ${schema}.${name}` : `${kind} ${object} on ${schema}.${table}`
}

function difference({ expected, found }: Drift & { readonly change: 'changed' }): string {
  if (expected.kind === 'column') return `is ${found.definition}, expected ${expected.definition}`
  if (found.definition.endsWith(' NOT VALID')) return 'is not validated'
  if (/ NOT ENFORCED( |$)/.test(found.definition)) return 'is not enforced'
  if (found.definition.endsWith(' INVALID')) return 'is invalid'
  if (expected.body !== found.body) return 'has another body than the migration gave it'
  return 'has another definition than the migration gave it'
}

/** The statement that makes a missing object again, if it is short; else the section that says how. */
function repairOf(object: CatalogObject, { q }: Names): string {
  const [name] = object.name.split(' on ')
  if (object.kind === 'constraint')
    return `ALTER TABLE ${q}.${tableOf(object)} ADD CONSTRAINT ${name} ${object.definition}`
  if (object.kind === 'index') return object.definition.replace(/^CREATE (UNIQUE )?INDEX /, '$&CONCURRENTLY ')
  return SECTION
}

function repairOfChange({ expected, found }: Drift & { readonly change: 'changed' }, names: Names): string {
  const [name] = found.name.split(' on ')
  if (found.kind === 'constraint' && found.definition === `${expected.definition} NOT VALID`)
    return `ALTER TABLE ${names.q}.${tableOf(found)} VALIDATE CONSTRAINT ${name}`
  if (found.kind === 'index' && found.definition === `${expected.definition} INVALID`)
    return `REINDEX INDEX CONCURRENTLY ${names.q}.${name}`
  return SECTION
}
