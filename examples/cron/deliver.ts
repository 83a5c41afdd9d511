import { createRelay } from 'customerio-outbox/relay'

/** Milliseconds. The job runs every minute, so it ends before the next one starts. */
const DRAIN_MS = 50_000

/**
 * Delivers the backlog, and ends when the queue is empty or the time is over. What is left waits for the next run. Deploy
 * it as the handler of a scheduled Lambda function, or call it from cron.
 */
export async function handler(): Promise<void> {
  const { DATABASE_URL, CUSTOMERIO_SITE_ID, CUSTOMERIO_TRACK_API_KEY, CUSTOMERIO_TRACK_URL } = process.env
  const relay = createRelay({
    connectionString: DATABASE_URL ?? '',
    customerio: {
      siteId: CUSTOMERIO_SITE_ID ?? '',
      trackApiKey: CUSTOMERIO_TRACK_API_KEY ?? '',
      ...(CUSTOMERIO_TRACK_URL && { trackUrl: CUSTOMERIO_TRACK_URL }),
    },
    // After an outage a short-lived relay must not wait for its first probe as long as a permanent one.
    breaker: { halfOpenAfterMs: 5_000, maxHalfOpenAfterMs: 20_000 },
  })
  relay.on('error', (error) => console.error(error.message))
  try {
    await relay.start()
  } finally {
    await relay.stop({ drainMs: DRAIN_MS })
  }
}
