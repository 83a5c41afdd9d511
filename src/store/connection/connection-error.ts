/** Codes of Node: the server is unreachable, or the connection broke. */
const SYSTEM = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
  'ENOENT', // no such Unix socket
])

/**
 * SQLSTATEs of a server that ended or refused the connection: an administrator ended it, the server crashed, the server is
 * starting, there are too many connections. Every code of class 08 (connection exception) means the same.
 */
const SERVER = new Set(['57P01', '57P02', '57P03', '53300'])

/** Messages of pg for errors without a code. */
const MESSAGES =
  /Connection terminated|connection timeout|timeout exceeded when trying to connect|Query read timeout|timeout expired|connection error and is not queryable/

/** Whether the error says that an answer did not arrive in time. pg gives it a message and no code. */
export function isSilence({ message }: Error): boolean {
  return message === 'Query read timeout'
}

/** Whether the database was unreachable or stopped answering. Then the outcome of the statement is unknown. */
export function isConnectionError(error: Error & { readonly code?: unknown }): boolean {
  const { code, message } = error
  if (typeof code === 'string') return SYSTEM.has(code) || SERVER.has(code) || /^08/.test(code)
  return MESSAGES.test(message)
}
