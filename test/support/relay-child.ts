import type { RelayOptions } from '../../src/relay/options.ts'
import { createRelay } from '../../src/relay/relay.ts' // src/index.ts takes 0.2 s more CPU time to load

/** A relay in a separate process, with any options. `startRelayChild` and the harness's `relayProcess` run it. */
const relay = createRelay(JSON.parse(process.env.RELAY_OPTIONS ?? '{}') as RelayOptions)
process.once('disconnect', () => process.exit(1)) // exit when the test's process ends
await relay.start()
process.send?.({ started: relay.relayId, at: Date.now() })
