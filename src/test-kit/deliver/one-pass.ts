import { randomUUID } from 'node:crypto'
import { Breakers } from '../../relay/breaker/breakers.ts'
import { Destinations } from '../../relay/destination/destinations.ts'
import { LaneJobRunner } from '../../relay/dispatch/lane-job-runner.ts'
import type { RelayEvents } from '../../relay/events.ts'
import type { ResolvedRelayOptions } from '../../relay/options-schema.ts'
import { KeyFinder } from '../../relay/payloads/key-finder.ts'
import { IdleWait } from '../../relay/turn/idle-wait.ts'
import { Partitions } from '../../relay/turn/partitions.ts'
import { WriteHorizon } from '../../relay/turn/write-horizon.ts'
import type { Database } from '../../store/connection/database.ts'
import { ensurePartitions } from '../../store/fleet/ensure-partitions.ts'
import { findReadyLanes } from '../../store/lanes/find-ready-lanes.ts'
import type { Lane } from '../../store/lanes/lane.ts'
import { promoteScheduled } from '../../store/lanes/promote-scheduled.ts'
import { readHorizon } from '../../store/lanes/read-horizon.ts'
import { resetLanes } from '../../store/lanes/reset-lanes.ts'

export type Emit = <Name extends keyof RelayEvents>(name: Name, ...payload: RelayEvents[Name]) => void

/**
 * Works each lane that has intents once, one lane after the other, with the relay's own code. The parts that a single pass
 * does not need are absent: pg-boss, LISTEN, polls, heartbeats.
 *
 * @throws the first error of the database.
 */
export async function runOnePass(db: Database, options: ResolvedRelayOptions, emit: Emit): Promise<void> {
  const errors: Error[] = []
  const onError = (error: Error) => void errors.push(error)
  const relayId = randomUUID()
  const stopping = new AbortController()
  const destinations = new Destinations(db, options.requestTimeoutMs, options.workspaces)
  const breakers = new Breakers({
    db,
    relayId,
    destinations: () => destinations.names,
    settings: options,
    onChange: () => {},
    onError,
  })
  const runner = new LaneJobRunner({
    db,
    relayId,
    batchSize: options.batchSize,
    intentRetry: options.intentRetry,
    pollIntervalMs: options.pollIntervalMs,
    horizon: new WriteHorizon(
      () => readHorizon(db),
      () => resetLanes(db),
    ),
    partitions: new Partitions({
      make: (payloadDays) => ensurePartitions(db, payloadDays === undefined ? [] : [payloadDays]),
      stopping: stopping.signal,
      onError,
    }),
    encryptionKeys: new KeyFinder({
      source: options.encryption,
      timeoutMs: options.requestTimeoutMs,
      onError,
    }),
    stopping: stopping.signal,
    jobs: { finish: async () => {}, fail: async () => {} },
    destinations,
    breakers,
    emit,
    onError,
  })
  const runLane = async (lane: Lane) => {
    if (breakers.get(lane.destination).eligibility() === 'none') return
    const idleWait = new IdleWait(() => false) // a drained lane ends its turn at once
    await runner.run({ id: randomUUID(), retryCount: 0, queue: 'none', data: lane, lane }, idleWait)
    if (errors[0]) throw errors[0]
  }
  try {
    await ensurePartitions(db, [])
    await breakers.sync()
    while ((await promoteScheduled(db, destinations.names)) > 0);
    const { lanes } = await findReadyLanes(db, { served: destinations.names, except: [] })
    for (const lane of lanes) await runLane(lane)
  } finally {
    stopping.abort()
    await destinations.close()
  }
}
