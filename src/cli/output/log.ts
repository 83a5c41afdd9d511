import type { EventEmitter } from 'node:events'
import { type Logger, pino } from 'pino'
import type { RelayEvents } from '../../relay/events.ts'
import { LogThrottle } from './log-throttle.ts'
import { redact } from './redact.ts'

export type { Logger }

/**
 * Logs JSON lines. Writes are synchronous, so that the last lines before an exit are not lost.
 *
 * @param fd The file descriptor. Default: stdout.
 */
export function createLogger(level: string, fd = 1): Logger {
  return pino(
    {
      level,
      base: { pid: process.pid },
      messageKey: 'message',
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    pino.destination({ fd, sync: true }),
  )
}

/** Logs a relay's events. The message is a fixed phrase; details are fields. No line carries a payload or a key. */
export function logRelay(log: Logger, relay: EventEmitter<RelayEvents>): void {
  logDelivery(log, relay)
  logDestinations(log, relay)
  logDatabase(log, relay)
  logWakeUps(log, relay)
  logErrors(log, relay)
}

function logDelivery(log: Logger, relay: EventEmitter<RelayEvents>): void {
  relay.on('settled', (settled) => log.debug(settled, 'settled'))
  relay.on('drained', ({ end, lanesLeft }) =>
    end === 'empty' ? log.info('backlog drained') : log.warn({ lanesLeft }, NOT_DRAINED[end]),
  )
  relay.on('deadLetter', ({ destination, id, seq, reason, status, field }) =>
    log.warn({ destination, id, seq, reason, status, field }, 'dead letter'),
  )
  relay.on('laneFailed', ({ destination, lane, message }) =>
    log.warn({ destination, lane, error: redact(message) }, 'lane failed; retrying with backoff'),
  )
  relay.on('unknownFormat', (unknown) => log.warn(unknown, 'unknown row format; upgrade this relay'))
  relay.on('unknownKey', (unknown) =>
    log.warn(unknown, 'encryption key missing; add it to OUTBOX_ENCRYPTION_KEYS'),
  )
}

/** The phrase for each end of a drain that left intents. */
const NOT_DRAINED = {
  stopped: 'drain ended; every destination with intents is stopped, and they stay queued',
  time_is_up: 'drain timed out; remaining intents stay queued',
  aborted: 'drain aborted; remaining intents stay queued',
} as const

function logDestinations(log: Logger, relay: EventEmitter<RelayEvents>): void {
  relay.on('breaker', (change) =>
    log[change.to === 'closed' ? 'info' : 'warn'](
      change,
      change.from === undefined ? 'breaker found' : 'breaker changed',
    ),
  )
  relay.on('unserved', (unserved) => log.warn(unserved, 'no credentials for queued intents'))
  relay.on('regionUnchecked', ({ workspace, reason, message }) =>
    log.warn({ workspace, reason, error: redact(message) }, 'workspace region not checked'),
  )
  relay.on('action', (progress) =>
    progress.state === 'running'
      ? log.debug(progress, 'action continues')
      : log.info(progress, 'action ended'),
  )
  relay.on('workspacesUpdated', ({ destinations }) => log.info({ destinations }, 'settings changed'))
}

function logDatabase(log: Logger, relay: EventEmitter<RelayEvents>): void {
  relay.on('databaseLost', ({ message }) =>
    log.error({ error: redact(message) }, 'database lost; retrying until it is back'),
  )
  relay.on('databaseBack', ({ afterMs }) => log.info({ afterMs }, 'database back; lanes resume'))
  relay.on('sequenceRewound', ({ from, to }) =>
    log.warn(
      { from: String(from), to: String(to) },
      'sequence ran backwards; reading every lane from its beginning',
    ),
  )
  relay.on('schemaAhead', (schema) =>
    log.info(schema, 'schema newer than this relay, and compatible; upgrade this relay'),
  )
  relay.on('copyAccepted', (accepted) =>
    log.warn(accepted, 'copied database accepted; delivering its intents'),
  )
}

/** Logs `listening` at the level info only if wake-ups were lost before, else at the level debug. */
function logWakeUps(log: Logger, relay: EventEmitter<RelayEvents>): void {
  let wasLost = false
  relay.on('listening', () => {
    log[wasLost ? 'info' : 'debug']('listening for wake-ups')
    wasLost = false
  })
  relay.on('notListening', ({ reason, message, through, pollIntervalMs }) => {
    wasLost = true
    const setting = through === 'connectionString' ? 'DATABASE_URL' : 'OUTBOX_LISTEN_URL'
    log.warn(
      { reason, setting, pollIntervalMs, error: redact(message), hint: HINTS[reason] },
      'no wake-ups; polling',
    )
  })
}

/** The next step for each reason of `notListening`. */
const HINTS = {
  undelivered:
    'if the setting names a pooler in transaction mode, set OUTBOX_LISTEN_URL to a direct connection',
  refused: 'set OUTBOX_LISTEN_URL to a direct connection to the primary',
  unreachable: 'check that the setting names a reachable server, or set OUTBOX_LISTEN_URL',
  queue_full: 'run customerio-outbox doctor: it names the session that holds the notification queue',
} as const

/** For this many milliseconds after a logged error, the same message is counted and not logged again. */
const SAME_ERROR_EVERY_MS = 30_000

function logErrors(log: Logger, relay: EventEmitter<RelayEvents>): void {
  const throttle = new LogThrottle(SAME_ERROR_EVERY_MS)
  relay.on('error', (error) => {
    const repeated = throttle.pass(error.message)
    if (repeated === undefined) return
    log.error(
      { ...fieldsOf(error, log), ...(repeated > 0 ? { repeated } : {}) },
      'error; the relay continues',
    )
  })
}

/** The fields of an error that are logged. No others, because a database error quotes rows in `detail` and `where`. */
function fieldsOf(error: Error & { code?: string }, log: Logger) {
  const { code, message, stack } = error
  return {
    error: redact(message),
    ...(code === undefined ? {} : { code }),
    ...(log.isLevelEnabled('debug') ? { stack: redact(stack ?? '') } : {}),
  }
}
