import type { APIClient } from 'customerio-node'

/** Any client of customerio-node: all of them send through their `request`. */
type Recordable = Pick<APIClient, 'request'>

/**
 * The body that customerio-node would send for a call. Nothing is sent. customerio-node itself builds the body, and adds,
 * drops and renames fields, so the size of the body is exact.
 *
 * @param client A client that is used for recording only.
 */
export function recordBody<Client extends Recordable>(
  client: Client,
  call: (client: Client) => Promise<unknown>,
): unknown {
  let body: unknown
  client.request.post = async (_uri, data) => {
    body = data
    return {}
  }
  void call(client)
  return body
}

/** The address and the headers of a request without those that depend on its body. */
export interface RecordedRequest {
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
}

/**
 * The address and the headers with which customerio-node would send a call: its credential, content type and user agent.
 * Nothing is sent.
 *
 * @param client A client that is used for recording only.
 */
export function recordRequest<Client extends Recordable>(
  client: Client,
  call: (client: Client) => Promise<unknown>,
): RecordedRequest {
  let url = ''
  client.request.post = async (uri) => {
    url = uri
    return {}
  }
  void call(client)
  return { url, headers: client.request.options(url, 'POST', undefined).headers as Record<string, string> }
}
