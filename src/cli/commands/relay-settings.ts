import { z } from 'zod'
import { type readSettings, seconds, settings, wholeNumber } from '../settings/settings.ts'
import { deliverySettings } from './delivery-settings.ts'

/** The settings of `customerio-outbox relay`: flags and environment. */
export const relaySettings = {
  ...deliverySettings,
  listenUrl: settings.listenUrl,
  logLevel: settings.logLevel.default('info'),
  port: wholeNumber('--port', 0, 65_535).optional(),
  host: z
    .string()
    .min(1, { error: 'Expected --host to be an address to listen on, got an empty string' })
    .default('0.0.0.0'),
  drain: z.boolean().default(false),
  shutdownTimeout: seconds('--shutdown-timeout', 1, 3_600),
  pollInterval: seconds('--poll-interval', 0.05, 60).optional(),
}

export type RelaySettings = ReturnType<typeof readSettings<typeof relaySettings>>
