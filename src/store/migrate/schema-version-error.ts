/**
 * This version of the package cannot work on the schema or the server. The message says what to do. Thrown by `migrate`,
 * `migrationScript` and a relay's `start`.
 *
 * @example
 * ```ts
 * import { SchemaVersionError } from 'customerio-outbox/relay'
 *
 * try {
 *   await relay.start()
 * } catch (error) {
 *   if (error instanceof SchemaVersionError) console.error(`deploy step missing: ${error.message}`)
 *   throw error
 * }
 * ```
 */
export class SchemaVersionError extends Error {
  override readonly name = 'SchemaVersionError'
  readonly code = 'SCHEMA_VERSION'
}
