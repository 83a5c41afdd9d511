import type pg from 'pg'
import { getConstructionPlans, getMigrationPlans, PgBoss } from 'pg-boss'
import { withRowLocks } from '../jobs/boss-locks.ts'
import type { Names } from '../names.ts'
import { inTransaction, SHORT_LOCKS } from './migration-locks.ts'

/**
 * Brings pg-boss' schema to the version of the installed pg-boss. Uses this connection, and `SHORT_LOCKS` instead of
 * pg-boss' lock timeout of 30 s, because relays use the tables meanwhile.
 */
export async function installBoss(client: pg.Client, names: Names): Promise<void> {
  const executeSql = async (text: string, values?: unknown[]) => {
    const statement = withRowLocks(text, names, SHORT_LOCKS)
    if (!/^\s*BEGIN;/.test(text)) return inTransaction(client, () => client.query(statement, values))
    try {
      return await client.query(statement, values)
    } catch (error) {
      await client.query('ROLLBACK').catch(() => {}) // the text begins a transaction; a lost connection has already rolled back
      throw error
    }
  }
  const boss = new PgBoss({
    db: { executeSql },
    schema: names.boss,
    supervise: false,
    schedule: false,
    registerInstance: false,
  })
  boss.on('error', () => {})
  try {
    await boss.start()
  } finally {
    await boss.stop({ graceful: false })
  }
}

/** @returns the statements of `installBoss` as a script. '' if the schema is at the newest version. */
export async function bossScript(client: pg.Client, names: Names): Promise<string> {
  const { rows } = await client.query('SELECT to_regclass($1) IS NOT NULL AS present', [
    `${names.boss}.version`,
  ])
  if (!rows[0].present) return withRowLocks(getConstructionPlans(names.boss), names)
  const { rows: versions } = await client.query(`SELECT version FROM ${names.boss}.version`)
  try {
    return withRowLocks(getMigrationPlans(names.boss, versions[0].version), names)
  } catch {
    return '' // pg-boss throws if its schema is at the newest version
  }
}
