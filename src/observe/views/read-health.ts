import type { Names } from '../../store/names.ts'
import { type Queryable, select } from './queryable.ts'

/** The one row of the view `health`. */
export interface Health {
  /** `down`: intents are due and no relay lives. `degraded`: delivery is held back, late, or has dead letters. */
  readonly status: 'ok' | 'degraded' | 'down'
  /** A sentence each, for the person on call; the worst first. */
  readonly reasons: readonly string[]
}

export async function readHealth(db: Queryable, names: Names): Promise<Health> {
  const [row] = await select<Health>(db, `SELECT status, reasons FROM ${names.q}.health`)
  if (!row) throw new Error('the view health returned no row')
  return row
}
