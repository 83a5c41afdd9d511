import { duration, type readSettings, settings } from '../settings/settings.ts'
import { deliverySettings } from './delivery-settings.ts'

/** The settings of `customerio-outbox drain`: flags and environment. */
export const drainSettings = {
  ...deliverySettings,
  logLevel: settings.logLevel.default('error'),
  for: duration('--for', '100ms', '15m'),
}

export type DrainSettings = ReturnType<typeof readSettings<typeof drainSettings>>
