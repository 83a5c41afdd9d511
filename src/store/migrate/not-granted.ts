/** A statement that is missing for the roles, and why the migrating user could not run it. */
export interface NotGranted {
  readonly statement: string
  readonly error: string
}
