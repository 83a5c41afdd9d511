import pg from 'pg'

export const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL })

/** Runs `work` in a transaction: commits when it resolves, rolls back when it throws. */
export async function transaction<Result>(work: (tx: pg.PoolClient) => Promise<Result>): Promise<Result> {
  const client = await pool.connect()
  try {
    await client.query('BEGIN')
    const result = await work(client)
    await client.query('COMMIT')
    return result
  } catch (error) {
    await client.query('ROLLBACK')
    throw error
  } finally {
    client.release()
  }
}
