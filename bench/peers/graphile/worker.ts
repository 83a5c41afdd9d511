import { Logger, run } from 'graphile-worker'
import type { TrackPayload } from '../../workload/payload.ts'
import { endpoints, started, trackClient } from '../worker-main.ts'
import { SETTINGS, TASK } from './peer.ts'

const { storeUrl, apiUrl } = endpoints()
const track = trackClient(apiUrl)
const runner = await run({
  preset: { worker: { ...SETTINGS, connectionString: storeUrl } },
  noHandleSignals: true,
  logger: new Logger(() => () => {}),
  taskList: {
    [TASK]: async (payload) => {
      const { customerId, name, data } = payload as TrackPayload
      await track.track(customerId, { name, data })
    },
  },
})
started(() => runner.stop())
