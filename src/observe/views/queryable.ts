/** What reads the views: a pg pool, a pg client, or anything with their `query`. */
export interface Queryable {
  query(text: string, values?: unknown[]): Promise<{ rows: unknown[] }>
}

/** Runs one SELECT whose columns are named as `Row` names them. */
export async function select<Row>(db: Queryable, text: string): Promise<Row[]> {
  return (await db.query(text)).rows as Row[]
}
