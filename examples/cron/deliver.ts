import { type DrainResult, drain } from 'customerio-outbox/relay'

/**
 * Delivers what is in the queue, and ends when the queue is empty, when Customer.io is down, or when the time is up. What is
 * left waits for the next run. Deploy it as the handler of a scheduled Lambda function with a time limit of 60 s.
 */
export async function handler(): Promise<DrainResult> {
  const { DATABASE_URL, CUSTOMERIO_SITE_ID, CUSTOMERIO_TRACK_API_KEY, CUSTOMERIO_TRACK_URL } = process.env
  const result = await drain({
    connectionString: DATABASE_URL ?? '',
    customerio: {
      siteId: CUSTOMERIO_SITE_ID ?? '',
      trackApiKey: CUSTOMERIO_TRACK_API_KEY ?? '',
      ...(CUSTOMERIO_TRACK_URL && { trackUrl: CUSTOMERIO_TRACK_URL }),
    },
    forMs: 45_000, // requests in flight take up to 10 s more, and the end up to 5 s
    // In an outage a run every minute should probe every minute. By default the delay grows to 5 minutes.
    breaker: { halfOpenAfterMs: 5_000, maxHalfOpenAfterMs: 60_000 },
  })
  console.log(JSON.stringify(result))
  return result
}
