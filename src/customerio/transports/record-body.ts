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
