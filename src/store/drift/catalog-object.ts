/** An object of the outbox's schema, as text. */
export interface CatalogObject {
  readonly kind: 'table' | 'column' | 'constraint' | 'index' | 'sequence' | 'function' | 'view' | 'trigger'
  /** Without the schema: `intents`, `intents.seq`, `intents_lane on intents`, `lane_of(text, text, text)`. */
  readonly name: string
  readonly definition: string
  /** Of a function; else null. */
  readonly body: string | null
}
