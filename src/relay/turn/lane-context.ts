import type { Database } from '../../store/connection/database.ts'
import type { Settlement } from '../../store/lanes/settle.ts'
import type { DestinationBreaker } from '../breaker/breaker.ts'
import type { Coalescer } from '../destination/coalescer.ts'
import type { Destination } from '../destination/destinations.ts'
import type { ResolvedRelayOptions } from '../options.ts'
import type { WriteHorizon } from './write-horizon.ts'
import type { IdleWait } from './idle-wait.ts'
import type { Partitions } from './partitions.ts'
import type { InFlightLanes } from './in-flight-lanes.ts'

/** What the turns of a lane are given by their relay. */
export interface LaneContext {
  readonly db: Database
  readonly relayId: string
  readonly batchSize: number
  readonly intentRetry: ResolvedRelayOptions['intentRetry']
  readonly destination: Destination
  readonly breaker: DestinationBreaker
  readonly coalescer: Coalescer
  readonly horizon: WriteHorizon
  readonly partitions: Partitions
  readonly inFlight: InFlightLanes
  readonly stopping: AbortSignal
  readonly idleWait: IdleWait
  /** Whether the destination's settings are those that were given last. */
  readonly settingsAreCurrent: () => boolean
  readonly onUnknownFormat: (destination: string, format: number) => void
  /** `late`: how many were delivered after the time in which an event triggers a campaign. */
  readonly onSettled: (settlement: Settlement, late: number) => void
}
