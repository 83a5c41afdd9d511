import { z } from 'zod'
import { type readSettings, seconds, settings, share, wholeNumber } from '../settings/settings.ts'

const { listenUrl: _, logLevel: __, ...common } = settings

/** The settings that `relay` and `drain` share: flags and environment. */
export const deliverySettings = {
  ...common,
  checkRegion: z.boolean().default(true),
  acceptCopy: z.boolean().default(false),
  connections: wholeNumber('--connections', 2, 50).optional(),
  workers: wholeNumber('--workers', 1, 64).optional(),
  batchSize: wholeNumber('--batch-size', 1, 2_000).optional(),
  requestTimeout: seconds('--request-timeout', 0.1, 120).optional(),
  breakerFailures: wholeNumber('--breaker-failures', 1, 1_000).optional(),
  breakerSuccesses: wholeNumber('--breaker-successes', 1, 100).optional(),
  breakerHalfOpenAfter: seconds('--breaker-half-open-after', 0.01, 3_600).optional(),
  breakerMaxHalfOpenAfter: seconds('--breaker-max-half-open-after', 0.01, 86_400).optional(),
  breakerRejections: wholeNumber('--breaker-rejections', 0, 10_000).optional(),
  breakerRejectionShare: share('--breaker-rejection-share', 0.01, 1).optional(),
  onDead: z
    .enum(['continue', 'hold'], {
      error: ({ input }) => `Expected --on-dead to be continue or hold, got ${JSON.stringify(input)}`,
    })
    .optional(),
  deliveredPayloads: z
    .enum(['drop', 'keep'], {
      error: ({ input }) => `Expected --delivered-payloads to be drop or keep, got ${JSON.stringify(input)}`,
    })
    .optional(),
  deliveredPayloadDays: wholeNumber('--delivered-payload-days', 1, 3_653).optional(),
}

export type DeliverySettings = ReturnType<typeof readSettings<typeof deliverySettings>>
