import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Intent } from '../../src/index.ts'
import { startCli } from '../support/cli.ts'
import { createLoginRole, type LoginRole } from '../support/login-role.ts'
import { operate } from '../support/operate.ts'
import { email, everyApi, type Harness, startHarness, track } from '../support/relay-harness.ts'
import { readDocument } from './blocks.ts'

/** The commands of each section of the runbook, as words. */
const SECTIONS = new Map(
  readDocument('docs/runbook.md')
    .split(/^## /m)
    .slice(1)
    .map((section) => [section.slice(0, section.indexOf('\n')), commandsOf(section)] as const),
)

function commandsOf(section: string): string[][] {
  const lines = [...section.matchAll(/^```bash\n(.*?)^```$/gms)].flatMap(([, code = '']) =>
    code.trim().split('\n'),
  )
  return lines.map((line) => {
    const [program, ...words] = [...line.matchAll(/"([^"]*)"|(\S+)/g)].map(
      ([, quoted, word]) => quoted ?? word ?? '',
    )
    expect(program).toBe('customerio-outbox')
    return words
  })
}

let h: Harness
let op: ReturnType<typeof operate>
let operator: LoginRole
let folder: string
beforeEach(async () => {
  h = await startHarness()
  op = operate(h)
  operator = await createLoginRole(h.db, 'outbox_operator')
  folder = await mkdtemp(path.join(tmpdir(), 'runbook-'))
})
afterEach(async () => {
  await rm(folder, { recursive: true })
  await operator.drop()
  await h.close()
})

/** Runs the commands of a section as the operator. Returns what each has printed. */
async function follow(
  title: string,
  failing: readonly string[] = [],
  environment: Record<string, string> = {},
) {
  const printed: string[] = []
  const found = { PLAN: '', ACTION: '', ID: '' }
  for (const words of SECTIONS.get(title) ?? []) {
    const args = words.map((word) => word.replace(/^(PLAN|ACTION|ID)$/, (name) => found[name as 'PLAN']))
    const env = { DATABASE_URL: operator.url, NO_COLOR: '1', ...environment }
    const { status, stdout, stderr } = await startCli(args, env, undefined, folder).ended()
    const expected = failing.includes(args[0] ?? '') ? 1 : 0
    expect({ args, status, stderr: stderr.replace(/^.*retry.*$/gm, '') }).toEqual({
      args,
      status: expected,
      stderr: '',
    })
    const id = stdout.match(/[\da-f]{8}-(?:[\da-f]{4}-){3}[\da-f]{12}/)?.[0]
    found.PLAN = stdout.match(/^plan (\S+)$/m)?.[1] ?? found.PLAN
    found.ACTION = id ?? found.ACTION
    found.ID = id ?? found.ID
    printed.push(stdout)
  }
  return printed
}

const count = async (table: string, where = 'true') =>
  (await h.db.rows<{ n: number }>(`SELECT count(*)::int AS n FROM outbox.${table} WHERE ${where}`))[0]?.n
/** A relay that carries out actions, and serves only another workspace. */
const idleRelay = () => h.relay({ workspaces: { other: everyApi(h.fake) } })
const message = (person: string, template: number): Intent => {
  const intent = email(person, 1)
  return intent.operation === 'sendEmail'
    ? { ...intent, message: { ...intent.message, transactional_message_id: template } }
    : intent
}

/** By the title of the section: makes the incident, follows the runbook, and checks the end. */
const INCIDENTS: Record<string, (title: string) => Promise<void>> = {
  async 'A wrong template goes out to many people'(title) {
    await idleRelay()
    await h.enqueue(...Array.from({ length: 30 }, (_, n) => message(`u${n}`, n % 3 === 0 ? 7 : 42)))
    await follow(title)
    await h.relay()
    await h.drained()
    expect(h.fake.sends.map(({ body }) => body.transactional_message_id)).toEqual(Array(10).fill(7))
  },
  async 'A bad deploy made 50,000 dead letters'(title) {
    await h.relay()
    await op.deadLetters(...Array.from({ length: 200 }, (_, n) => track(`u${n % 50}`, n)))
    const [, preview = '', done = ''] = await follow(title)
    expect(preview).toContain('redrive would touch 200 intents of 50 people')
    expect(done).toContain('is done: 200 of 200 intents')
    await h.drained()
    expect(h.fake.counts).toMatchObject({ applied: 200, duplicates: 0 })
  },
  async 'One dead letter has a wrong payload'(title) {
    await h.relay()
    await op.deadLetters(track('u1', 1))
    await writeFile(path.join(folder, 'payload.json'), '{"customerId": "u1", "name": "right"}')
    await follow(title)
    await h.drained()
    expect(h.fake.applied.map(({ name }) => name)).toEqual(['right'])
  },
  async 'A customer got no email'(title) {
    await h.enqueue({
      ...message('x', 1),
      message: {
        to: 'jane@example.com',
        identifiers: { email: 'jane@example.com' },
        transactional_message_id: 1,
      },
    } as Intent)
    const [found] = await follow(title)
    expect(found).toMatch(/pending .*no relay is running/)
  },
  async 'A message may have been sent twice'(title) {
    await h.relay()
    const [first, second] = await op.deadLetters(message('u1', 1), message('u2', 1))
    await h.db.rows(
      "UPDATE outbox.dead_letters SET reason = 'ambiguous', status = NULL, requested_at = now()",
    )
    await follow(title)
    await h.drained()
    // The newest one is the first of the list.
    expect(await count('delivered', `id = '${second}'`)).toBe(1)
    expect(await h.db.rows('SELECT event FROM outbox.history WHERE id = $1', [first])).toHaveLength(1)
    expect(await count('dead_letters')).toBe(0)
  },
  async 'Customer.io refuses the key'(title) {
    h.fake.credentials = { apiKey: 'another-key' }
    const breaker = { halfOpenAfterMs: 60_000, maxHalfOpenAfterMs: 60_000 }
    await h.relay({ breaker })
    await h.enqueue(track('u1', 1), track('u2', 1))
    await op.breaker('default/track', 'paused')
    h.fake.credentials = {}
    const [before = '', resumed = ''] = await follow(title)
    expect(before).toContain('paused')
    expect(resumed).toContain('will be probed now')
    await h.drained()
  },
  async 'A person asks to be forgotten'(title) {
    await h.relay()
    await h.enqueue(track('u1', 1))
    await h.drained()
    await op.deadLetters(track('u1', 2), {
      operation: 'identify',
      identifiers: { email: 'jane@example.com' },
    })
    const [preview = '', receipt = ''] = await follow(title)
    expect(preview).toContain('erase would touch 3 intents of 2 people')
    expect(receipt).toMatch(/receipt: .*delivered 1, dead_letters 2/)
    await h.drained()
    expect(h.fake.applied.filter(({ action }) => action === 'delete')).toHaveLength(2)
    expect(await count('delivered', "operation <> 'destroy'")).toBe(0)
  },
  async 'Customer.io was down for four days'(title) {
    await idleRelay()
    await h.enqueue(message('u1', 1), message('u2', 1), track('u1', 1))
    await h.db.rows(
      "UPDATE outbox.intents SET enqueued_at = now() - interval '4 days' WHERE ordering_key = 'u1'",
    )
    await follow(title)
    expect(await h.db.rows('SELECT operation, ordering_key FROM outbox.intents ORDER BY 1, 2')).toEqual([
      { operation: 'sendEmail', ordering_key: 'u2' },
      { operation: 'track', ordering_key: 'u1' },
    ])
  },
  async 'A redrive was a mistake'(title) {
    await op.deadLetters(...Array.from({ length: 6_000 }, (_, n) => track(`u${n}`, 1)))
    await idleRelay()
    const id = await op.apply('redrive', { name: 'step' }, { rate: 50 })
    await op.processed(id, 1)
    const [, cancelled = ''] = await follow(title)
    expect(cancelled).toMatch(/is cancelled: \d+ of 6,000 intents/)
    expect(await count('intents')).toBe(0)
    const { processed } = await op.status(id)
    expect(await count('dead_letters')).toBe(6_000 - Number(processed))
  },
  async 'Customer.io lost two hours of data'(title) {
    await h.relay({ customerio: { ...everyApi(h.fake), deliveredPayloads: 'keep' } })
    await h.enqueue(track('u1', 1), track('u2', 1))
    await h.drained()
    await h.fake.reset()
    const [preview = ''] = await follow(title)
    expect(preview).toContain('replay would touch 2 intents of 2 people')
    await h.drained()
    expect(h.fake.counts.applied).toBe(2)
  },
  async 'Messages must wait until tomorrow'(title) {
    await idleRelay()
    await h.enqueue(message('u1', 1), message('u2', 1))
    const [, later = '', now = ''] = await follow(title)
    expect(later).toContain('is done: 2 of 2 intents')
    expect(now).toContain('is done: 2 of 2 intents')
    expect(await count('intents', 'lane >= 0')).toBe(2)
  },
  async 'All users must be imported'(title) {
    await h.db.rows(`CREATE TABLE users AS SELECT n AS id, 'u' || n || '@example.com' AS email, 'pro' AS plan
                     FROM generate_series(1, 50) n; GRANT SELECT ON users TO outbox_operator`)
    await writeFile(path.join(folder, 'users.sql'), 'SELECT id, email, plan FROM users')
    const [, done = ''] = await follow(title)
    expect(done).toContain('done: 50 of 50 rows are enqueued')
    await h.db.rows('REVOKE SELECT ON users FROM outbox_operator')
  },
  async 'No relay runs, and one cannot be started'(title) {
    await h.enqueue(track('u1', 1))
    await h.db.rows(`GRANT outbox_relay TO ${operator.name}`)
    const credentials = {
      CUSTOMERIO_SITE_ID: 'site',
      CUSTOMERIO_TRACK_API_KEY: 'key',
      CUSTOMERIO_TRACK_URL: h.fake.url,
    }
    const [examined = ''] = await follow(title, ['doctor'], credentials)
    expect(examined).toContain('no relay is running')
    expect(h.fake.counts.applied).toBe(1)
  },
  async 'Old dead letters pile up'(title) {
    await op.deadLetters(track('u1', 1), track('u2', 1))
    await h.db.rows(
      "UPDATE outbox.dead_letters SET dead_at = now() - interval '40 days' WHERE ordering_key = 'u1'",
    )
    await idleRelay()
    await follow(title)
    expect(await h.db.rows('SELECT ordering_key FROM outbox.dead_letters')).toEqual([{ ordering_key: 'u2' }])
  },
}

describe('the runbook', () => {
  test.each([...SECTIONS.keys()])('%s', async (title) => {
    const incident = INCIDENTS[title]
    if (!incident) throw new Error(`Expected an incident for the section "${title}", got none`)
    await incident(title)
  })
})
