import pg from 'pg'
import { withRowLocks } from './boss-locks.ts'
import type { Names } from '../names.ts'

/** pg-boss' connections, for its option `db`. */
export interface BossDatabase {
  executeSql(text: string, values?: unknown[]): Promise<{ rows: unknown[] }>
  close(): Promise<void>
}

/** Opens a pool that replaces pg-boss' own, so that pg-boss' statements take no advisory lock: see `withRowLocks`. */
export function openBossDatabase(
  config: pg.PoolConfig,
  names: Names,
  onError: (error: Error) => void,
): BossDatabase {
  const pool = new pg.Pool(config)
  pool.on('error', onError)
  return {
    // For several statements in one text pg returns an array of results, which pg-boss expects.
    executeSql: (text, values) => pool.query(withRowLocks(text, names), values),
    close: () => pool.end(),
  }
}
