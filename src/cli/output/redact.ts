const secrets = new Set<string>()

/** Shorter values are not redacted: they would match inside ordinary words. */
const MIN_LENGTH = 8

/** Registers a secret, so that `redact` replaces it in every text from now on. */
export function keepSecret(value: unknown): void {
  if (typeof value === 'string' && value.length >= MIN_LENGTH) secrets.add(value)
}

/** Replaces every registered secret by `***`. */
export function redact(text: string): string {
  let redacted = text
  for (const secret of secrets) redacted = redacted.replaceAll(secret, '***')
  return redacted
}
