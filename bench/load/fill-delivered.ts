import type pg from 'pg'

/** Adds one past day of `count` delivered intents, in a partition like those of `outbox.ensure_partitions`. */
export async function fillDelivered(client: pg.Client, count: number, daysAgo: number): Promise<void> {
  await client.query(`SET timezone = 'UTC'`)
  const { rows } = await client.query<{ name: string; day: string; next: string }>(
    `SELECT 'delivered_' || to_char(d, 'YYYYMMDD') AS name, d::text AS day, (d + 1)::text AS next
     FROM (SELECT (now() AT TIME ZONE 'UTC')::date - $1::int AS d) AS past`,
    [daysAgo],
  )
  const [partition] = rows
  if (!partition) throw new Error('Expected one row with the day of the partition, got none')
  const { name, day, next } = partition
  await client.query(
    `CREATE TABLE outbox."${name}" (LIKE outbox.delivered INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING INDEXES)`,
  )
  await client.query(
    `ALTER TABLE outbox.delivered ATTACH PARTITION outbox."${name}" FOR VALUES FROM ('${day} 00:00:00+00') TO ('${next} 00:00:00+00')`,
  )
  await client.query(
    `INSERT INTO outbox."${name}" (id, destination, lane, seq, operation, ordering_key, enqueued_at, delivered_at)
     SELECT gen_random_uuid(), 'default/track', n % 16, n, 'track', 'u' || n % 5000, at, at
     FROM (SELECT n, '${day} 00:00:00+00'::timestamptz + n * interval '10 milliseconds' AS at
           FROM generate_series(1, $1::int) AS n) AS past`,
    [count],
  )
}
