import type { Queryable } from '../../observe/views/queryable.ts'
import type { Names } from '../../store/names.ts'
import { SettingError } from '../errors.ts'

/** Prefix of the id of every person of a demo. */
export const RUN_PREFIX = 'demo-'

/**
 * Refuses a schema that an app uses. The demo's relays would deliver an app's intents to the fake, and an app's relay would
 * send the demo's intents to Customer.io.
 *
 * @throws SettingError
 */
export async function refuseForeignWork(db: Queryable, names: Names): Promise<void> {
  const { rows } = await db.query(
    'SELECT to_regclass($1) IS NOT NULL AND to_regclass($2) IS NOT NULL AS present',
    [`${names.q}.intents`, `${names.q}.relay_fleet`],
  )
  if (!(rows as { present: boolean }[])[0]?.present) return
  const found = await db.query(
    `SELECT EXISTS (SELECT 1 FROM ${names.q}.intents WHERE NOT starts_with(ordering_key, $1)) AS intents,
            EXISTS (SELECT 1 FROM ${names.q}.relay_fleet WHERE last_seen_at > now() - interval '30 seconds') AS relays`,
    [RUN_PREFIX],
  )
  const [foreign] = found.rows as { intents: boolean; relays: boolean }[]
  const elsewhere = 'set OUTBOX_SCHEMA to another name, or pass another --database-url'
  if (foreign?.intents) {
    throw new SettingError(
      `schema "${names.schema}" has intents of an app, and the demo would deliver them to its fake: ${elsewhere}`,
    )
  }
  if (foreign?.relays) {
    throw new SettingError(
      `a relay runs on schema "${names.schema}" and would send the demo's people to Customer.io: stop it, or ${elsewhere}`,
    )
  }
}
