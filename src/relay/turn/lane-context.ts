import type { Database } from '../../store/connection/database.ts'
import type { Settlement } from '../../store/lanes/settle.ts'
import type { DestinationBreaker } from '../breaker/breaker.ts'
import type { Coalescer } from '../destination/coalescer.ts'
import type { Destination } from '../destination/destinations.ts'
import type { ResolvedRelayOptions } from '../options-schema.ts'
import type { KeyFinder } from '../payloads/key-finder.ts'
import type { WriteHorizon } from './write-horizon.ts'
import type { IdleWait } from './idle-wait.ts'
import type { Partitions } from './partitions.ts'
import type { InFlightLanes } from './in-flight-lanes.ts'

/** What all lanes of a relay share. */
interface RelayContext {
  readonly db: Database
  readonly relayId: string
  readonly batchSize: number
  readonly intentRetry: ResolvedRelayOptions['intentRetry']
  readonly horizon: WriteHorizon
  readonly partitions: Partitions
  readonly encryptionKeys: KeyFinder
  readonly inFlight: InFlightLanes
  readonly stopping: AbortSignal
}

/** What a relay passes to the turn of a lane. `workLane` makes the turn's own objects from it (see `Turn`). */
export interface LaneContext extends RelayContext {
  readonly destination: Destination
  readonly breaker: DestinationBreaker
  readonly coalescer: Coalescer
  /** Whether `destination` has the latest settings. */
  readonly settingsAreCurrent: () => boolean
  readonly idleWait: IdleWait
  readonly onUnknownFormat: (destination: string, format: number) => void
  readonly onUnknownKey: (destination: string, key: string) => void
  /** `missedCampaign`: how many events were delivered too late to trigger a campaign. */
  readonly onSettled: (settlement: Settlement, missedCampaign: number) => void
}
