/**
 * The settings changed while a request was in flight, and its answer, a refused credential or a failure, is about the former
 * settings only. Not thrown for a message or broadcast whose request may have had an effect.
 */
export class SupersededError extends Error {
  override readonly name = 'SupersededError'

  constructor(destination: string) {
    super(`the settings of ${destination} have changed since the request was sent`)
  }
}
