import { createRelay, type RelayOptions } from '../../src/index.ts'

/** A relay in a process of its own, with any options: run by `startRelayChild`. */
const relay = createRelay(JSON.parse(process.env.RELAY_OPTIONS ?? '{}') as RelayOptions)
process.once('disconnect', () => process.exit(1)) // it ends when the test's process is gone
await relay.start()
process.send?.({ started: relay.relayId, at: Date.now() })
