import { type Logger, pino } from 'pino'
import type { Relay } from '../relay/relay.ts'
import { redact } from './errors.ts'

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

/**
 * Logs what a relay tells. No line carries a payload or a key: of a dead letter, where and why, but not the
 * answer's words, which may quote a value.
 */
export function logRelay(log: Logger, relay: Relay): void {
  relay.on('settled', (settled) => log.debug(settled, 'settled'))
  relay.on('drained', ({ lanesLeft }) =>
    lanesLeft === 0
      ? log.info('the backlog is empty')
      : log.warn({ lanesLeft }, 'the time to drain is up: what is left stays in the queue'),
  )
  relay.on('deadLetter', ({ destination, seq, reason, status, field }) =>
    log.warn({ destination, seq, reason, status, field }, 'dead letter'),
  )
  relay.on('breaker', (change) => log[change.to === 'closed' ? 'info' : 'warn'](change, 'breaker changed'))
  relay.on('laneFailed', ({ destination, lane, message }) =>
    log.warn({ destination, lane, error: redact(message) }, 'lane failed, it is tried again'),
  )
  relay.on('unserved', (unserved) =>
    log.warn(unserved, 'intents wait that this relay has no credentials for'),
  )
  relay.on('unknownFormat', (unknown) =>
    log.warn(unknown, 'intents wait whose row format this relay does not know: upgrade it'),
  )
  relay.on('regionUnchecked', ({ workspace, reason, message }) =>
    log.warn({ workspace, reason, error: redact(message) }, 'the region of a workspace could not be checked'),
  )
  relay.on('schemaAhead', (schema) =>
    log.info(schema, 'the schema is newer than this relay, and takes it: upgrade the relay'),
  )
  relay.on('workspacesUpdated', ({ destinations }) => log.info({ destinations }, 'settings changed'))
  relay.on('error', (error) => log.error(describe(error, log), 'the relay goes on after an error'))
}

/** Not the whole error: a database's one has rows in `detail` and `where`. */
function describe(error: Error & { code?: string }, log: Logger) {
  const { code, message, stack } = error
  return {
    error: redact(message),
    ...(code === undefined ? {} : { code }),
    ...(log.isLevelEnabled('debug') ? { stack: redact(stack ?? '') } : {}),
  }
}
