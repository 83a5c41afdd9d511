import { randomBytes } from 'node:crypto'
import type { TestDatabase } from './database.ts'

/** A database user of one test. The user is a member of roles of the outbox, or of none. */
export interface LoginRole {
  readonly name: string
  /** URL of the test's database with this user. */
  readonly url: string
  /** Drops the user and all its objects in the test's database. */
  drop(): Promise<void>
}

export async function createLoginRole(db: TestDatabase, memberOf?: string, can = ''): Promise<LoginRole> {
  const name = `outbox_test_${randomBytes(6).toString('hex')}`
  const password = randomBytes(12).toString('hex')
  await db.rows(`CREATE ROLE ${name} LOGIN ${can} PASSWORD '${password}'`)
  if (memberOf !== undefined) await db.rows(`GRANT ${memberOf} TO ${name}`)
  const url = new URL(db.url)
  url.username = name
  url.password = password
  return {
    name,
    url: url.toString(),
    async drop() {
      await db.rows(`DROP OWNED BY ${name}`)
      await db.rows(`DROP ROLE ${name}`)
    },
  }
}
