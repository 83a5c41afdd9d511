import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'

let db: TestDatabase
beforeAll(async () => {
  db = await createTestDatabase()
})
afterAll(() => db.drop())

type Partition = { name: string; from: Date; to: Date }

/** The partitions with their bounds as instants. */
const partitions = () =>
  db.rows<Partition>(
    `SELECT c.relname AS name, (regexp_match(b.bound, 'FROM \\(''([^'']*)'))[1]::timestamptz AS from,
            (regexp_match(b.bound, 'TO \\(''([^'']*)'))[1]::timestamptz AS to
     FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid, pg_get_expr(c.relpartbound, c.oid) AS b(bound)
     WHERE i.inhparent = 'outbox.delivered'::regclass ORDER BY 1`,
  )

async function dropAll(): Promise<void> {
  for (const { name } of await partitions()) await db.rows(`DROP TABLE outbox.${name}`)
}

const DAY = 86_400_000
/** The partitions that must exist: of today and the next two days in UTC, by the server's clock. */
async function expectedDays(): Promise<Partition[]> {
  const [row] = await db.rows<{ now: Date }>('SELECT now()')
  const today = Math.floor((row?.now.getTime() ?? 0) / DAY) * DAY
  return [0, 1, 2].map((n) => {
    const from = new Date(today + n * DAY)
    const name = `delivered_${from.toISOString().slice(0, 10).replaceAll('-', '')}`
    return { name, from, to: new Date(from.getTime() + DAY) }
  })
}

const deliver = (at: string) =>
  db.rows<{ partition: string }>(
    `INSERT INTO outbox.delivered (id, destination, lane, seq, operation, ordering_key, enqueued_at, delivered_at)
     VALUES (gen_random_uuid(), 'default/track', 0, 1, 'identify', 'k', now(), ${at})
     RETURNING tableoid::regclass::text AS partition`,
  )

describe('ensure_partitions', () => {
  beforeEach(dropAll)

  test.each([
    ['UTC', 'ISO, MDY'],
    ['Asia/Shanghai', 'SQL, DMY'],
    ['America/Los_Angeles', 'Postgres, MDY'],
    ['Pacific/Kiritimati', 'German, DMY'],
  ])(
    'creates today and the next two days, in UTC, in a session with time zone %s and datestyle %s',
    async (zone, style) => {
      await db.transaction(async (client) => {
        await client.query(`SET LOCAL timezone = '${zone}'`)
        await client.query(`SET LOCAL datestyle = '${style}'`)
        await client.query('SELECT outbox.ensure_partitions()')
      })
      expect(await partitions()).toEqual(await expectedDays())
    },
  )

  test('is safe to repeat and to run concurrently, and keeps existing rows', async () => {
    const ensure = () => db.rows('SELECT outbox.ensure_partitions()')
    await ensure()
    const [row] = await deliver('now()')
    await Promise.all([ensure(), ensure(), ensure()])
    expect(await partitions()).toHaveLength(3)
    expect(await db.rows(`SELECT FROM ${row?.partition}`)).toHaveLength(1)
  })

  test('creates the partitions that deliveries of today and tomorrow go to', async () => {
    await db.rows('SELECT outbox.ensure_partitions()')
    const [today, tomorrow] = await expectedDays()
    const [now] = await deliver('now()')
    const [later] = await deliver("now() + interval '1 day'")
    expect([now?.partition, later?.partition]).toEqual([`outbox.${today?.name}`, `outbox.${tomorrow?.name}`])
  })
})

describe('prune_delivered', () => {
  beforeEach(async () => {
    await dropAll()
    await db.rows('SELECT outbox.ensure_partitions()')
  })

  /** Creates the partition of the day `daysAgo` days before today. */
  async function arrange(daysAgo: number): Promise<string> {
    const [today] = await expectedDays()
    const from = new Date((today?.from.getTime() ?? 0) - daysAgo * DAY)
    const name = `delivered_${from.toISOString().slice(0, 10).replaceAll('-', '')}`
    const to = new Date(from.getTime() + DAY)
    await db.rows(
      `CREATE TABLE outbox.${name} PARTITION OF outbox.delivered
       FOR VALUES FROM ('${from.toISOString()}') TO ('${to.toISOString()}')`,
    )
    return name
  }

  const prune = async (keep: string) =>
    (await db.rows<{ dropped: number }>('SELECT outbox.prune_delivered($1) AS dropped', [keep]))[0]?.dropped

  test('drops exactly the partitions of days that ended longer than `keep` ago', async () => {
    const names = [await arrange(9), await arrange(8), await arrange(7), await arrange(1)]
    await deliver("now() - interval '7 days'")
    expect(await prune('7 days')).toBe(2)
    const left = (await partitions()).map(({ name }) => name)
    expect(left).toEqual(expect.arrayContaining(names.slice(2)))
    expect(left).toHaveLength(5)
    expect(await db.rows('SELECT FROM outbox.delivered')).toHaveLength(1)
    expect(await prune('7 days')).toBe(0)
  })

  test('never drops today or a future day, also if `keep` is 0', async () => {
    await arrange(1)
    expect(await prune('0')).toBe(1)
    expect(await partitions()).toEqual(await expectedDays())
  })

  test('keeps a partition with another name', async () => {
    await db.rows(
      "CREATE TABLE archive PARTITION OF outbox.delivered FOR VALUES FROM ('2001-01-01Z') TO ('2002-01-01Z')",
    )
    expect(await prune('7 days')).toBe(0)
    expect((await partitions()).map(({ name }) => name)).toContain('archive')
    await db.rows('DROP TABLE archive')
  })
})
