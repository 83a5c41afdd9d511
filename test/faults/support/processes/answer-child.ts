import { createTrackTransport } from '../../../../src/customerio/transports/track-transport.ts'

/*
 * Sends intents one after the other to a server, in a separate process, so that its memory shows the cost of the answers.
 * Prints one line of JSON per intent: the outcome, the duration, and the growth of peak memory.
 */

const [, , trackUrl = '', count = '1'] = process.argv
const credentials = { siteId: 'site', trackApiKey: 'key', trackUrl }
const transport = createTrackTransport(credentials, 30_000)
const item = transport.prepare({
  id: '01890a5d-ac96-774b-bcce-b302099a8057',
  operation: 'track',
  payload: { customerId: 'u1', name: 'step' },
  occurredAtSeconds: 1_700_000_000,
})
const peakMb = () => process.resourceUsage().maxRSS / 1_024

for (let n = 0; n < 3; n++) await transport.send([item])
const before = peakMb()
for (let n = 0; n < Number(count); n++) {
  const startedAt = performance.now()
  const answer = await transport.send([item])
  const ms = Math.round(performance.now() - startedAt)
  console.log(JSON.stringify({ answer, ms, grownMb: Math.round(peakMb() - before) }))
}
await transport.close()
