import pg from 'pg'
import { withRowLocks } from './boss-locks.ts'
import type { Names } from '../names.ts'

/** The connections of pg-boss, for its option `db`. */
export interface BossDatabase {
  executeSql(text: string, values?: unknown[]): Promise<{ rows: unknown[] }>
  close(): Promise<void>
}

/** A pool in place of pg-boss' own, so that its statements take no advisory lock: see `withRowLocks`. */
export function openBossDatabase(
  config: pg.PoolConfig,
  names: Names,
  onError: (error: Error) => void,
): BossDatabase {
  const pool = new pg.Pool(config)
  pool.on('error', onError)
  return {
    // Of several statements in one text it gives an array of results, which pg-boss takes apart.
    executeSql: (text, values) => pool.query(withRowLocks(text, names), values),
    close: () => pool.end(),
  }
}
