/** The default name of the outbox's schema. */
export const DEFAULT_SCHEMA = 'outbox'

/** The names that follow from the configured schema. */
export interface Names {
  /** The configured name of the schema. */
  readonly schema: string
  /** The schema as a quoted SQL identifier. */
  readonly q: string
  /** The schema of the relay's pg-boss. It has a name of its own, because an app may use pg-boss, too. */
  readonly boss: string
  /** The NOTIFY channel of wake-ups and breaker changes. */
  readonly channel: string
}

/**
 * @param schema The schema's name. Default: `outbox`.
 * @throws Error if the name is not a plain lower-case identifier of at most 40 bytes. It becomes part of SQL, of a NOTIFY
 * channel and of pg-boss' schema name.
 */
export function namesOf(schema: string = DEFAULT_SCHEMA): Names {
  if (!/^[a-z_][a-z0-9_]{0,39}$/.test(schema)) {
    throw new Error(
      `Expected the outbox schema to be a lower-case identifier of 1 to 40 characters, got ${JSON.stringify(schema)}`,
    )
  }
  return { schema, q: `"${schema}"`, boss: `${schema}_pgboss`, channel: `${schema}:wake` }
}
