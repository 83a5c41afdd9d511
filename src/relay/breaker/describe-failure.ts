/** A failed request in one line, such as `502: text/html, 1,532 bytes`. */
export function describeFailure({
  status,
  message,
}: {
  readonly status?: number | undefined
  readonly message: string
}): string {
  return status === undefined ? message : `${status}: ${message}`
}
