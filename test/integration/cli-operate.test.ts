import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createOutbox } from '../../src/index.ts'
import { toUlid } from '../../src/customerio/transports/ulid.ts'
import { startCli } from '../support/cli.ts'
import { operate } from '../support/operate.ts'
import { everyApi, type Harness, startHarness, track } from '../support/relay-harness.ts'

let h: Harness
let op: ReturnType<typeof operate>
beforeEach(async () => {
  h = await startHarness()
  op = operate(h)
})
afterEach(() => h.close())

const cli = (...args: string[]) => startCli(args, { DATABASE_URL: h.db.url, NO_COLOR: '1' }).ended()
/** Runs a command that must succeed. Returns what it prints. */
const run = async (...args: string[]) => {
  const { status, stdout, stderr } = await cli(...args)
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
  return stdout
}
const json = async (...args: string[]) => JSON.parse(await run(...args, '--json'))

describe('dead', () => {
  test('list shows pages with filters, show the payload and what happened', async () => {
    const ids = await op.deadLetters(track('u1', 1), track('u2', 2), track('u3', 3))
    const text = await run('dead', 'list', '--reason', 'rejected', '--status', '400', '--since', '2h')
    for (const id of ids) expect(text).toContain(`${id}   track step`)
    for (const line of text.split('\n')) expect(line.length).toBeLessThanOrEqual(80)
    const first = await json('dead', 'list', '--limit', '2')
    const second = await json('dead', 'list', '--limit', '2', '--after', first.next)
    expect([...first.letters, ...second.letters].map(({ id }) => id).sort()).toEqual([...ids].sort())
    expect(second.next).toBeUndefined()
    expect((await json('dead', 'list', '--person', 'u1', '--person', 'u3')).letters).toHaveLength(2)
    expect(await run('dead', 'list', '--until', '2h')).toBe('  no dead letter matches\n')
    const shown = await run('dead', 'show', toUlid(ids[0] ?? ''))
    expect(shown).toContain('"customerId": "u1"')
    expect(shown).toContain('rejected 400 bad name')
    expect(shown).toMatch(/enqueued\n.*dead {10}rejected: 400 bad name/)
  })

  test('edit takes the payload from a file, checks it, and keeps the old one', async () => {
    const [id = ''] = await op.deadLetters(track('u1', 1))
    const folder = await mkdtemp(path.join(tmpdir(), 'dead-edit-'))
    try {
      const file = path.join(folder, 'payload.json')
      await writeFile(file, '{"customerId": "u1"}')
      expect(await cli('dead', 'edit', id, '--payload', file)).toMatchObject({
        status: 2,
        stderr: expect.stringContaining('name'),
      })
      await writeFile(file, '{"customerId": "u1", ')
      expect(await cli('dead', 'edit', id, '--payload', file)).toMatchObject({
        status: 2,
        stderr: expect.stringContaining('Expected the payload to be JSON'),
      })
      await writeFile(file, '{"customerId": "u1", "name": "right", "data": {"n": 1}}')
      expect(await run('dead', 'edit', id, '--payload', file, '--because', 'ticket 7')).toContain(
        `dead redrive --ids ${id} --yes`,
      )
      expect(await json('dead', 'show', id)).toMatchObject({
        name: 'right',
        events: [
          { event: 'enqueued' },
          { event: 'dead' },
          { event: 'edited', detail: 'ticket 7; by postgres' },
        ],
      })
      expect(await json('dead', 'edit', id, '--payload', file)).toEqual({ id, edited: false })
    } finally {
      await rm(folder, { recursive: true })
    }
  })

  test('redrive: preview, then apply of its plan, with progress; a changed set is refused', async () => {
    await op.deadLetters(track('u1', 1), track('u2', 1))
    const filter = ['--operation', 'track', '--since', '1h']
    const text = await run('dead', 'redrive', ...filter, '--preview')
    expect(text).toContain('redrive would touch 2 intents of 2 people')
    const [, plan = ''] = text.match(/^plan (\S+)$/m) ?? []
    await op.deadLetters(track('u3', 1))
    expect(await cli('dead', 'redrive', ...filter, '--apply', plan)).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('it matches 3 intents now'),
    })
    const fresh = await json('dead', 'redrive', ...filter, '--preview')
    expect(fresh).toMatchObject({ intents: 3, people: 3, staleIdentifies: 0 })
    await h.relay()
    const done = await run(
      'dead',
      'redrive',
      ...filter,
      '--apply',
      fresh.plan,
      '--watch',
      '--because',
      'mended',
    )
    expect(done).toContain('is done: 3 of 3 intents')
    expect(done).toContain('requested by postgres')
    expect(done).toContain('mended')
    await h.drained()
    expect(h.fake.counts.applied).toBe(3)
  })

  test('discard without a terminal needs a decision; with --yes it waits for a relay and says so', async () => {
    await op.deadLetters(track('u1', 1))
    expect(await cli('dead', 'discard', '--person', 'u1')).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('Expected --preview, --apply PLAN or --yes'),
    })
    const text = await run('dead', 'discard', '--person', 'u1', '--yes')
    expect(text).toContain('it waits, because no relay is running')
    const [, id = ''] = text.match(/action (\S+) is requested/) ?? []
    expect((await json('actions')).actions).toMatchObject([
      { actionId: id, kind: 'discard', state: 'queued' },
    ])
    expect(await run('actions', id)).toContain(`discard ${id} is queued: 0 of 1 intents`)
    expect(await run('cancel', id)).toContain('is cancelled')
    expect(await run('cancel', id)).toContain('already ended')
    expect(await json('dead', 'list')).toMatchObject({ letters: [{}] })
  })
})

test('pending cancel and reschedule', async () => {
  await h.enqueue(track('u1', 1), track('u2', 1))
  await h.relay({ workspaces: { other: everyApi(h.fake) } })
  await run('pending', 'reschedule', '--person', 'u1', '--at', '2030-01-01T00:00Z', '--yes', '--watch')
  await run('pending', 'cancel', '--person', 'u2', '--yes', '--watch')
  expect(await h.db.rows('SELECT lane, ordering_key, send_after FROM outbox.intents')).toEqual([
    { lane: -1, ordering_key: 'u1', send_after: new Date('2030-01-01T00:00Z') },
  ])
  await run('pending', 'reschedule', '--person', 'u1', '--at', 'now', '--yes', '--watch')
  const [row] = await h.db.rows<{ lane: number }>('SELECT lane FROM outbox.intents')
  expect(row?.lane).toBeGreaterThanOrEqual(0)
})

test('erase prints a receipt, and find nothing afterwards', async () => {
  await h.enqueue(track('jane', 1))
  await op.deadLetters(track('jane', 2))
  await h.relay({ workspaces: { other: everyApi(h.fake) } })
  expect(await run('erase', '--person', 'jane', '--preview')).toContain(
    'erase would touch 2 intents of 1 people',
  )
  const text = await run('erase', '--person', 'jane', '--yes', '--watch')
  expect(text).toContain('receipt: dedup 0, archive 0, history 0, intents 1, delivered 0, dead_letters 1')
  expect(await run('find', 'jane')).toBe('nothing was found\n')
})

test('find prints the events of each intent', async () => {
  const [id = ''] = await h.enqueue(track('u1', 1))
  const text = await run('find', 'u1')
  expect(text).toContain(`${id}  track step  to default/track for u1`)
  expect(text).toMatch(/pending {7}no relay is running/)
  expect((await json('find', id)).events).toMatchObject([{ event: 'enqueued' }, { event: 'pending' }])
})

test('find --timeline folds kept payloads into what Customer.io should know', async () => {
  await h.relay({ customerio: { ...everyApi(h.fake), deliveredPayloads: 'keep' } })
  await h.enqueue(
    { operation: 'identify', customerId: 'u1', attributes: { plan: 'pro', age: 7 } },
    track('u1', 1),
  )
  await h.drained()
  const text = await run('find', 'u1', '--timeline')
  expect(text).toMatch(/^workspace default: present \(payloads are kept since 20/)
  expect(text).toContain('  plan = "pro"')
  expect(text).toMatch(/event step\n/)
  const { timelines } = await json('find', 'u1', '--timeline')
  expect(timelines).toMatchObject([
    {
      workspace: 'default',
      profile: { status: 'present', attributes: { plan: 'pro', age: 7 }, events: [{ name: 'step' }] },
    },
  ])
  expect(await run('find', 'u1', '--timeline', '--until', '1h')).toBe('nothing was found\n')
})

test('an encrypted dead letter is shown and edited with the key, and stays encrypted', async () => {
  const keys = `k1:${Buffer.alloc(32, 7).toString('base64')}`
  const outbox = createOutbox({ encryption: { keys } })
  const { id } = await h.db.transaction((tx) => outbox.enqueue(tx, track('u1', 1)))
  await h.db.rows(
    `WITH dead AS (DELETE FROM outbox.intents RETURNING *)
     INSERT INTO outbox.dead_letters (id, destination, seq, format, operation, payload, ordering_key, priority,
       on_ambiguous, enqueued_at, dead_at, reason)
     SELECT id, destination, seq, format, operation, payload::jsonb, ordering_key, priority, on_ambiguous, enqueued_at, now(),
       'rejected' FROM dead`,
  )
  const file = path.join(tmpdir(), `payload-${id}.json`)
  await writeFile(file, '{"customerId": "u1", "name": "right", "data": {"n": 2}}')
  try {
    expect(await run('dead', 'show', id ?? '')).toContain('set OUTBOX_ENCRYPTION_KEYS to read it')
    expect(await cli('dead', 'edit', id ?? '', '--payload', file)).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('set OUTBOX_ENCRYPTION_KEYS'),
    })
    const withKeys = (...args: string[]) =>
      startCli(args, { DATABASE_URL: h.db.url, OUTBOX_ENCRYPTION_KEYS: keys }).ended()
    expect((await withKeys('dead', 'show', id ?? '')).stdout).toContain('"name": "step"')
    expect(await withKeys('dead', 'edit', id ?? '', '--payload', file)).toMatchObject({
      status: 0,
      stderr: '',
    })
  } finally {
    await rm(file)
  }
  const rows = await h.db.rows<{ text: string }>(
    'SELECT payload::text AS text FROM outbox.dead_letters UNION ALL SELECT payload::text FROM outbox.history',
  )
  expect(rows).toHaveLength(2)
  for (const { text } of rows) expect(text).not.toMatch(/right|step/)
  await h.relay({ encryption: { keys } })
  await op.ended(await op.apply('redrive', { person: 'u1' }))
  await h.drained()
  expect(h.fake.applied).toMatchObject([{ name: 'right' }])
})
