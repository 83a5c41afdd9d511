/** Runs SQL files one after the other, as `psql -f` does. */
import { readFile } from 'node:fs/promises'
import pg from 'pg'

const client = new pg.Client({ connectionString: process.env.DATABASE_URL })
await client.connect()
for (const file of process.argv.slice(2)) {
  await client.query(await readFile(file, 'utf8'))
  console.log(`${file} has run`)
}
await client.end()
