/**
 * A request was sent with settings that are no longer in force, and its answer says something about those only:
 * nothing is known of today's, and nothing was taken.
 */
export class SupersededError extends Error {
  override readonly name = 'SupersededError'

  constructor(destination: string) {
    super(`the settings of ${destination} have changed since the request was sent`)
  }
}
