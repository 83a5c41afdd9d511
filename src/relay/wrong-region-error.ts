/** Workspaces live in another region than the settings say: one line of the message for each. */
export class WrongRegionError extends Error {
  override readonly name = 'WrongRegionError'
  readonly code = 'WRONG_REGION'
  readonly workspaces: readonly string[]

  constructor(wrong: ReadonlyMap<string, string>) {
    super([...wrong.values()].join('\n'))
    this.workspaces = [...wrong.keys()]
  }
}
