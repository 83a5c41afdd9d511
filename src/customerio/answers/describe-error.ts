import { isIP } from 'node:net'
import { RedirectError } from './redirect-error.ts'

/** Meanings of the error codes of Node, undici, and zlib, for an operator. */
const MEANINGS: Readonly<Record<string, string>> = {
  EAI_AGAIN: 'the name server does not answer',
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'connection reset',
  EHOSTUNREACH: 'host unreachable',
  ENETUNREACH: 'network unreachable',
  ENOTFOUND: 'the host name does not resolve',
  EPIPE: 'connection closed while the request was written',
  ETIMEDOUT: 'connect timed out',
  CERT_HAS_EXPIRED: 'the certificate has expired',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'the certificate is self-signed',
  ERR_TLS_CERT_ALTNAME_INVALID: 'the certificate is for another host name',
  SELF_SIGNED_CERT_IN_CHAIN: 'the certificate chain is self-signed',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'the certificate authority is unknown',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'the certificate cannot be verified',
  ERR_BUFFER_TOO_LARGE: 'the answer unpacks to more than 1 MB',
  UND_ERR_BODY_TIMEOUT: 'no more of the answer within the request timeout',
  UND_ERR_CONNECT_TIMEOUT: 'connect timed out',
  UND_ERR_HEADERS_OVERFLOW: 'the head of the answer is over 16 KB',
  UND_ERR_HEADERS_TIMEOUT: 'no answer within the request timeout',
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: 'the answer has another length than it says',
  UND_ERR_RES_EXCEEDED_MAX_SIZE: 'the answer is over 1 MB',
  UND_ERR_SOCKET: 'other side closed the connection',
  HTTPParserError: 'the answer is not HTTP',
  TimeoutError: 'no complete answer within the request timeout',
  UNKNOWN_CONTENT_ENCODING: 'the answer has an unknown content encoding',
}

/** Maximum length of a chain of causes. */
const MAX_DEPTH = 5

/**
 * Describes a thrown error by its class, its code, the IP address that was called, and the meaning of the code. Only a
 * `RedirectError` keeps its own message. Other messages are not safe: undici quotes the value of a header, which may be
 * the credential, and some messages quote an address that the server chose.
 */
export function describeError(error: unknown): string {
  const chain = causesOf(error)
  const refusal = chain.find((one) => one instanceof RedirectError)
  if (refusal) return refusal.message
  const coded = chain.find((one) => codeOf(one) !== undefined)
  const name = classOf(chain.at(-1) ?? error)
  if (coded === undefined) return MEANINGS[name] ? `${name}: ${MEANINGS[name]}` : name
  const code = codeOf(coded) ?? ''
  const meaning = MEANINGS[code] ?? `${classOf(coded)} of the HTTP client`
  return `${code}${addressOf(coded)}: ${meaning}`
}

/** The errors from the outermost to the innermost: undici wraps the cause in "fetch failed". */
function causesOf(error: unknown): Error[] {
  const chain: Error[] = []
  for (let next = error; next instanceof Error && chain.length < MAX_DEPTH; next = next.cause)
    chain.push(next)
  return chain
}

function codeOf(error: Error): string | undefined {
  const { code } = error as NodeJS.ErrnoException
  return typeof code === 'string' && /^[A-Z][A-Z0-9_]{1,59}$/.test(code) ? code : undefined
}

function classOf(error: unknown): string {
  if (!(error instanceof Error)) return 'a thrown value that is no Error'
  return /^[A-Za-z]{1,40}$/.test(error.name) ? error.name : 'Error'
}

/** The IP address, never a host name: a redirect may have chosen any subdomain of customer.io. */
function addressOf(error: Error): string {
  const { address, port } = error as { readonly address?: unknown; readonly port?: unknown }
  if (typeof address !== 'string' || isIP(address) === 0 || !Number.isInteger(port)) return ''
  return isIP(address) === 6 ? ` [${address}]:${port}` : ` ${address}:${port}`
}
