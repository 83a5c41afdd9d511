/** Of Node: the server cannot be reached, or the connection to it broke. */
const SYSTEM = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
  'ENOENT', // a Unix socket that is not there
])

/** SQLSTATEs: ended by an administrator, by a crash, not up yet, too many connections; 08 is the class of them. */
const SERVER = new Set(['57P01', '57P02', '57P03', '53300'])

/** What pg says without a code. */
const WORDS =
  /Connection terminated|connection timeout|timeout exceeded when trying to connect|Query read timeout|timeout expired|connection error and is not queryable/

/** Whether an answer did not come in time: pg's own words, it has no code for it. */
export function isSilence({ message }: Error): boolean {
  return message === 'Query read timeout'
}

/** Whether the database could not be reached, or stopped answering: nothing is known of the statement's fate. */
export function isConnectionError(error: Error & { readonly code?: unknown }): boolean {
  const { code, message } = error
  if (typeof code === 'string') return SYSTEM.has(code) || SERVER.has(code) || /^08/.test(code)
  return WORDS.test(message)
}
