/** A redirect that is not followed. The message quotes no address: the server chose it. */
export class RedirectError extends Error {
  override readonly name = 'RedirectError'
}
