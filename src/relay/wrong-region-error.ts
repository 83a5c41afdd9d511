/**
 * Workspaces are in another region than their settings say. The message has one line for each. Thrown by `start` and
 * `updateWorkspaces` of a relay.
 *
 * @example
 * ```ts
 * import { WrongRegionError } from 'customerio-outbox/relay'
 *
 * try {
 *   await relay.start()
 * } catch (error) {
 *   if (error instanceof WrongRegionError) console.error(error.workspaces)
 *   throw error
 * }
 * ```
 */
export class WrongRegionError extends Error {
  override readonly name = 'WrongRegionError'
  readonly code = 'WRONG_REGION'
  /** The names of the workspaces. */
  readonly workspaces: readonly string[]

  /** @param wrong A line of the message for each workspace, by its name. */
  constructor(wrong: ReadonlyMap<string, string>) {
    super([...wrong.values()].join('\n'))
    this.workspaces = [...wrong.keys()]
  }
}
