import type { APIClient } from 'customerio-node'

/** Any client of customerio-node: all of them send through such a `request`. */
type Recordable = Pick<APIClient, 'request'>

/**
 * The body that customerio-node sends for a call, without sending it: what it adds, leaves out and renames is
 * thus its own doing, and the size is right.
 *
 * @param client One that is never used to send.
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
