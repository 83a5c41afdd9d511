/**
 * The names that a configured schema turns into. The default schema is `outbox`; pg-boss lives in a schema
 * of its own beside it, so that it never meets an app's own pg-boss.
 */
export const DEFAULT_SCHEMA = 'outbox'

export interface Names {
  /** The schema's name as configured. */
  readonly schema: string
  /** The schema as a quoted SQL identifier. */
  readonly q: string
  /** pg-boss' schema. */
  readonly boss: string
  /** The NOTIFY channel of wake-ups and breaker changes. */
  readonly channel: string
}

/**
 * @throws Error when the name is not a plain lower-case identifier of at most 40 bytes: it becomes part of
 * SQL, of a NOTIFY channel and of pg-boss' schema name.
 */
export function namesOf(schema: string = DEFAULT_SCHEMA): Names {
  if (!/^[a-z_][a-z0-9_]{0,39}$/.test(schema)) {
    throw new Error(
      `Expected the outbox schema to be a lower-case identifier of 1 to 40 characters, got ${JSON.stringify(schema)}`,
    )
  }
  return { schema, q: `"${schema}"`, boss: `${schema}_pgboss`, channel: `${schema}:wake` }
}
