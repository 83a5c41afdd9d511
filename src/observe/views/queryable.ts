/** A pg pool, a pg client, or any object with the same `query`. */
export interface Queryable {
  query(text: string, values?: unknown[]): Promise<{ rows: unknown[] }>
}

/** Runs one SELECT. Its columns must have the names of the fields of `Row`. */
export async function select<Row>(db: Queryable, text: string, values?: unknown[]): Promise<Row[]> {
  return (await db.query(text, values)).rows as Row[]
}
