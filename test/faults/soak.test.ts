import { rm } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { startFakeCustomerIo } from '../../src/testing/index.ts'
import { createTestDatabase } from '../support/database.ts'
import { eventually } from '../support/eventually.ts'
import { GatewayAnswers } from './soak/incidents/gateway-answers.ts'
import { watchForStop } from './soak/watch-for-stop.ts'
import { startGateway } from './support/network/gateway.ts'
import { describeFindings } from './support/shop/oracle.ts'
import { Refusals } from './soak/incidents/refusals.ts'
import { runSchedule } from './soak/incidents/run-schedule.ts'
import { runSoak } from './soak/run-soak.ts'
import { describeEntry, type Entry, planSchedule } from './soak/incidents/schedule.ts'

test('soak: equal seeds give equal schedules, and ten minutes contain every kind of incident', () => {
  const entries = planSchedule(7, 10, 3)
  expect(planSchedule(7, 10, 3)).toEqual(entries)
  expect(planSchedule(8, 10, 3)).not.toEqual(entries)
  const kinds = Object.groupBy(entries, ({ incident }) => incident.kind)
  expect(Object.keys(kinds)).toHaveLength(22)
  const gaps = entries.slice(1).map(({ at }, n) => at - (entries[n]?.at ?? 0))
  expect(Math.max(...gaps)).toBeLessThan(5_000)
})

test('soak: a failed incident is reported, and the schedule continues', async () => {
  const entries: Entry[] = [0, 1, 2].map((at) => ({ at, incident: { kind: 'cut', relay: at, how: 'fin' } }))
  const done: string[] = []
  const failed: string[] = []
  await runSchedule({
    entries,
    signal: new AbortController().signal,
    onBegin: () => {},
    onFailure: (entry, { message }) => failed.push(`${describeEntry(entry).trim()}: ${message}`),
    applyIncident: async (entry) => {
      if (entry.at === 1) throw new Error('no such proxy')
      done.push(describeEntry(entry).trim())
    },
  })
  expect(done).toEqual(['0.0 s  cut relay=0 how=fin', '0.0 s  cut relay=2 how=fin'])
  expect(failed).toEqual(['0.0 s  cut relay=1 how=fin: no such proxy'])
})

test('soak: an operation that was refused once is refused again in the same way, even after the incident', async () => {
  await using fake = await startFakeCustomerIo()
  const refusals = new Refusals()
  refusals.applyTo(fake)
  const send = async (...numbers: number[]) => {
    const batch = numbers.map((n) => ({
      type: 'person',
      action: 'event',
      identifiers: { id: 'u1' },
      name: 'step',
      attributes: { ref: `w0-${n}` },
    }))
    const response = await fetch(`${fake.url}/api/v2/batch`, {
      method: 'POST',
      headers: { authorization: `Basic ${btoa('site:key')}`, 'content-type': 'application/json' },
      body: JSON.stringify({ batch }),
    })
    return response.status
  }
  const end207 = refusals.begin('207', 10)
  expect(await send(9, 10, 11)).toBe(207)
  end207()
  const end400 = refusals.begin('400', 7)
  expect([await send(13, 14), await send(10)]).toEqual([400, 207])
  end400()
  fake.behave()
  refusals.applyTo(fake)
  expect([await send(10), await send(14), await send(20, 21)]).toEqual([207, 400, 200])
  expect(fake.counts.applied).toBe(4)
})

test('soak: a gateway answers instead of the fake, either every request or only those with a given text', async () => {
  await using fake = await startFakeCustomerIo()
  const answers = new GatewayAnswers()
  const gateway = await startGateway(fake, { remember: false })
  gateway.intercept(answers.intercept)
  const send = async (ref: string) => {
    const { status } = await fetch(`${gateway.url}/api/v2/batch`, {
      method: 'POST',
      body: `{"ref":"${ref}"}`,
    })
    return status
  }
  const endText = answers.begin('403 to a text', 17)
  expect([await send('w1-117'), await send('w1-170')]).toEqual([403, 401]) // 401 by the fake: no key was sent
  endText()
  const end = answers.begin('json 400', 17)
  expect([await send('w1-117'), await send('w1-170')]).toEqual([400, 400])
  end()
  expect(await send('w1-117')).toBe(401)
  await gateway.close()
})

test('soak: a destination that waits for an operator is reported once and resumed', async () => {
  const db = await createTestDatabase()
  const notes: string[] = []
  await db.rows("SELECT outbox.pause('default/track', 'too many')")
  {
    await using _ = watchForStop({ databaseUrl: db.url }, (what) => notes.push(what))
    const isClosed = async () =>
      (await db.rows("SELECT 1 FROM outbox.breakers WHERE state = 'closed'")).length === 1
    await eventually('the resumption', isClosed)
  }
  expect(notes).toEqual([expect.stringContaining('default/track was paused until resumed: ')])
  await db.drop()
})

test('soak: a failover and a crash that lose commits, then a gateway that refuses everything: no violation in six seconds', async () => {
  const entries: Entry[] = [
    { at: 1_000, incident: { kind: 'failover', lagMs: 300, latencyMs: 1_000 } },
    { at: 3_000, incident: { kind: 'lossy crash', forMs: 500, downMs: 0, latencyMs: 1_000 } },
    { at: 5_000, incident: { kind: 'gateway', answer: 'json 400', ref: 10, forMs: 500 } },
  ]
  const { verdict, problems, logs } = await runSoak({
    entries,
    seed: 1,
    minutes: 0.1,
    relays: 2,
    rate: 12_000,
    drainWithinMs: 30_000,
    onProgress: () => {},
    onIncident: () => {},
  })
  expect([...describeFindings(verdict), ...problems]).toEqual([])
  expect(verdict).toMatchObject({ delivered: verdict.committed, pending: 0 })
  expect(verdict.lostCommits).toBeGreaterThan(0)
  await rm(logs, { recursive: true })
})
