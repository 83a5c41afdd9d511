/**
 * The settings changed while a request was in flight. Its answer is about the former settings only, and the request had no
 * effect.
 */
export class SupersededError extends Error {
  override readonly name = 'SupersededError'

  constructor(destination: string) {
    super(`the settings of ${destination} have changed since the request was sent`)
  }
}
