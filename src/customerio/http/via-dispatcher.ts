import type { APIClient } from 'customerio-node'
import { request as send } from 'undici/index.js'
import { RedirectError } from '../answers/redirect-error.ts'
import type { GuardedDispatcher } from './guarded-dispatcher.ts'

/** The fetch of Bun and of Deno ignores the option `dispatcher`: without it no answer would be recorded or guarded. */
const IGNORES_DISPATCHER = 'bun' in process.versions || 'deno' in process.versions

/** A request of customerio-node, or one that is written already. */
export interface RawRequest {
  readonly url: string
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE'
  readonly headers: Readonly<Record<string, string>>
  readonly body: Buffer | string | null
}

/**
 * Lets a client of customerio-node send through the dispatcher. On Node.js its fetch does so already.
 *
 * @returns the client.
 */
export function viaDispatcher<Client extends Pick<APIClient, 'request'>>(
  client: Client,
  dispatcher: GuardedDispatcher,
  timeoutMs: number,
): Client {
  if (!IGNORES_DISPATCHER) return client
  client.request.handler = async ({ uri, method, headers, body }) => {
    const texts = Object.entries(headers ?? {}).map(([name, value]) => [name, String(value)])
    const request = { url: uri, method, headers: Object.fromEntries(texts), body: body as string | null }
    const text = await sendFollowing(request as RawRequest, dispatcher, AbortSignal.timeout(timeoutMs))
    return text === '' ? {} : JSON.parse(text)
  }
  return client
}

/**
 * Sends a request, and follows redirects as customerio-node does.
 *
 * @returns the body of the answer, whatever its status. The dispatcher has recorded the status.
 */
export async function sendFollowing(
  given: RawRequest,
  dispatcher: GuardedDispatcher,
  signal: AbortSignal,
): Promise<string> {
  let request = given
  for (;;) {
    const { url, method, headers, body } = request
    const response = await send(url, { dispatcher, method, headers: { ...headers }, body, signal })
    const text = await response.body.text() // at most `MAX_ANSWER_BYTES`: the dispatcher sees to it
    if (!isRedirect(response.statusCode)) return text
    request = redirected(request, String(response.headers.location))
  }
}

/**
 * The request to the target of a redirect. customerio-node sends its credential only to hosts of Customer.io.
 *
 * @throws {RedirectError} if the target is no URL or has a user name.
 */
function redirected({ headers, ...rest }: RawRequest, location: string): RawRequest {
  const url = URL.parse(location)
  if (url?.username !== '' || url.password !== '') throw new RedirectError('the target is no plain URL')
  const { Authorization, ...others } = headers
  const isOwn = url.hostname.endsWith('.customer.io') && Authorization !== undefined
  return { ...rest, url: url.href, headers: isOwn ? { ...others, Authorization } : others }
}

export function isRedirect(status: number): boolean {
  return status === 301 || status === 302 || status === 307 || status === 308
}
