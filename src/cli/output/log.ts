import { type Logger, pino } from 'pino'
import type { Relay } from '../../relay/relay.ts'
import { redact } from '../errors.ts'
import { Seldom } from './log-throttle.ts'

export type { Logger }

/** JSON lines on stdout. Written at once, so that the last words before an exit are not lost. */
export function createLogger(level: string): Logger {
  return pino(
    {
      level,
      base: { pid: process.pid },
      messageKey: 'message',
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    pino.destination({ fd: 1, sync: true }),
  )
}

/** Logs what a relay tells. No line carries a payload, a key, or a text of an answer: events have none. */
export function logRelay(log: Logger, relay: Relay): void {
  relay.on('settled', (settled) => log.debug(settled, 'settled'))
  relay.on('drained', ({ lanesLeft }) =>
    lanesLeft === 0
      ? log.info('backlog drained')
      : log.warn({ lanesLeft }, 'drain timed out; remaining intents stay queued'),
  )
  relay.on('deadLetter', ({ destination, id, seq, reason, status, field }) =>
    log.warn({ destination, id, seq, reason, status, field }, 'dead letter'),
  )
  relay.on('breaker', (change) =>
    log[change.to === 'closed' ? 'info' : 'warn'](
      change,
      change.from === undefined ? 'breaker found' : 'breaker changed',
    ),
  )
  relay.on('laneFailed', ({ destination, lane, message }) =>
    log.warn({ destination, lane, error: redact(message) }, 'lane failed; retrying with backoff'),
  )
  relay.on('unserved', (unserved) => log.warn(unserved, 'no credentials for queued intents'))
  relay.on('unknownFormat', (unknown) => log.warn(unknown, 'unknown row format; upgrade this relay'))
  relay.on('regionUnchecked', ({ workspace, reason, message }) =>
    log.warn({ workspace, reason, error: redact(message) }, 'workspace region not checked'),
  )
  relay.on('schemaAhead', (schema) =>
    log.info(schema, 'schema newer than this relay, and compatible; upgrade this relay'),
  )
  relay.on('copyAccepted', (accepted) =>
    log.warn(accepted, 'copied database accepted; delivering its intents'),
  )
  relay.on('workspacesUpdated', ({ destinations }) => log.info({ destinations }, 'settings changed'))
  logDatabase(log, relay)
  const seldom = new Seldom(SAME_ERROR_EVERY_MS)
  relay.on('error', (error) => {
    const repeated = seldom.count(error.message)
    if (repeated === undefined) return
    log.error(
      { ...describe(error, log), ...(repeated > 0 ? { repeated } : {}) },
      'error; the relay continues',
    )
  })
}

/** An error that comes again within this time is counted, not logged. */
const SAME_ERROR_EVERY_MS = 30_000

function logDatabase(log: Logger, relay: Relay): void {
  relay.on('databaseLost', ({ message }) =>
    log.error({ error: redact(message) }, 'database lost; retrying until it is back'),
  )
  relay.on('databaseBack', ({ afterMs }) => log.info({ afterMs }, 'database back; lanes resume'))
  let deaf = false
  relay.on('sequenceRewound', ({ from, to }) =>
    log.warn(
      { from: String(from), to: String(to) },
      'sequence ran backwards; reading every lane from its beginning',
    ),
  )
  relay.on('listening', () => {
    log[deaf ? 'info' : 'debug']('listening for wake-ups')
    deaf = false
  })
  relay.on('notListening', ({ reason, message, through, pollIntervalMs }) => {
    deaf = true
    if (reason === 'queue_full') {
      log.warn(
        { reason, error: redact(message) },
        `notification queue full; polling every ${pollIntervalMs / 1_000} s. customerio-outbox doctor names the session that holds it`,
      )
      return
    }
    const setting = through === 'connectionString' ? 'DATABASE_URL' : 'OUTBOX_LISTEN_URL'
    log.warn(
      { reason, error: redact(message) },
      `no wake-ups through ${setting}${NOT_LISTENING[reason]}; polling every ${pollIntervalMs / 1_000} s. Set OUTBOX_LISTEN_URL to a direct connection`,
    )
  })
}

const NOT_LISTENING = {
  undelivered: ' (a pooler in transaction mode?)',
  refused: ', which does not take LISTEN',
  unreachable: ', which does not answer',
} as const

/** Not the whole error: a database's one has rows in `detail` and `where`. */
function describe(error: Error & { code?: string }, log: Logger) {
  const { code, message, stack } = error
  return {
    error: redact(message),
    ...(code === undefined ? {} : { code }),
    ...(log.isLevelEnabled('debug') ? { stack: redact(stack ?? '') } : {}),
  }
}
