/** A redirect that is not followed. The message does not quote the target, because the server chose it. */
export class RedirectError extends Error {
  override readonly name = 'RedirectError'
}
