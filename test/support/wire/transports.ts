import { createAppTransport } from '../../../src/customerio/transports/app-transport.ts'
import { createBroadcastTransport } from '../../../src/customerio/transports/broadcast-transport.ts'
import type { TrackFormOptions } from '../../../src/customerio/transports/track-operation.ts'
import { createPipelinesTransport } from '../../../src/customerio/transports/pipelines-transport.ts'
import { createTrackTransport } from '../../../src/customerio/transports/track-transport.ts'
import type { Transport } from '../../../src/customerio/transports/transport.ts'
import type { Golden } from './goldens.ts'

/** Creates a transport of one API to a server, with invented credentials. */
export function createTransport(
  api: Golden['api'],
  url: string,
  options: TrackFormOptions = {},
  timeoutMs = 5_000,
): Transport {
  const credentials = {
    siteId: 'site',
    trackApiKey: 'track-key',
    appApiKey: 'app-key',
    pipelinesWriteKey: 'write-key',
    trackUrl: url,
    appUrl: url,
    pipelinesUrl: url,
  }
  switch (api) {
    case 'track':
      return createTrackTransport(credentials, timeoutMs, options)
    case 'app':
      return createAppTransport(credentials, timeoutMs)
    case 'broadcast':
      return createBroadcastTransport(credentials, timeoutMs)
    case 'pipelines':
      return createPipelinesTransport(credentials, timeoutMs)
  }
}
