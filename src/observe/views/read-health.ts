import type { Names } from '../../store/names.ts'
import { type Queryable, select } from './queryable.ts'

/** The one row of the view `health`. */
export interface Health {
  /**
   * `down`: intents are due, and no relay is running or every relay fails to poll. `degraded`: there is another reason, such
   * as stopped or late delivery, or dead letters of the last hour.
   */
  readonly status: 'ok' | 'degraded' | 'down'
  /** One sentence each, for the engineer on call. The worst comes first. */
  readonly reasons: readonly string[]
}

/** Reads the overall health. */
export async function readHealth(db: Queryable, names: Names): Promise<Health> {
  const [row] = await select<Health>(db, `SELECT status, reasons FROM ${names.q}.health`)
  if (!row) throw new Error('the view health returned no row')
  return row
}
