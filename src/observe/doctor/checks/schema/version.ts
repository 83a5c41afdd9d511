import {
  BOSS_SCHEMA_VERSION,
  readSchemaState,
  supportedSchemaVersion,
} from '../../../../store/migrate/schema-version.ts'
import { select } from '../../../views/queryable.ts'
import type { Check, Installation } from '../../check.ts'
import { failure, type Finding, ok } from '../../finding.ts'

/** Whether the schema exists, in a version that this package can work on. */
export const schema: Check = { name: 'schema', run: checkSchema }

async function checkSchema(installation: Installation): Promise<readonly Finding[]> {
  const { db, names } = installation
  const known = supportedSchemaVersion()
  const found = await readSchemaState((text, values) => select(db, text, values && [...values]), names)
  if (!found) {
    return [
      failure(
        `schema "${names.schema}" does not exist`,
        'run customerio-outbox migrate, or set OUTBOX_SCHEMA',
      ),
    ]
  }
  const what = `schema "${names.schema}" is at version ${found.version}, this package supports ${known}`
  if (found.version < known) return [failure(what, 'customerio-outbox migrate')]
  if (found.oldestRelay > known) return [failure(what, 'upgrade customerio-outbox')]
  return [ok(what), ...(await checkBoss(installation))]
}

/** pg-boss works on its own version only. Only relays and the owner may read it. */
async function checkBoss({ db, names }: Installation): Promise<readonly Finding[]> {
  const known = BOSS_SCHEMA_VERSION
  const [row] = await select<{ readable: boolean | null }>(
    db,
    `SELECT has_schema_privilege(n.oid, 'USAGE')
            AND has_table_privilege((SELECT c.oid FROM pg_class c WHERE c.relnamespace = n.oid AND c.relname = 'version'),
                                    'SELECT') AS readable
     FROM pg_namespace n WHERE n.nspname = $1`,
    [names.boss],
  )
  if (!row) return [failure(`schema "${names.boss}" of pg-boss does not exist`, 'customerio-outbox migrate')]
  if (!row.readable) return []
  const [boss] = await select<{ version: number }>(db, `SELECT version::int FROM ${names.boss}.version`)
  if (boss?.version === known) return []
  const what = `schema "${names.boss}" is at version ${boss?.version ?? 'none'}, the pg-boss of this package needs ${known}`
  const isOlder = boss === undefined || boss.version < known
  return [failure(what, isOlder ? 'customerio-outbox migrate' : 'upgrade customerio-outbox')]
}
