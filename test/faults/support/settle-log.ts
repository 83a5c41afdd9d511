import type { TestDatabase } from '../../support/database.ts'

export interface SettleLog {
  /** Number of intents that each settle removed from the queue, in order. 0 for a settle that the fence refused. */
  read(): Promise<number[]>
}

/** Records every settle, including those that remove nothing. */
export async function logSettles(db: TestDatabase): Promise<SettleLog> {
  await db.rows(`
    CREATE TABLE shop.settles (ordinal bigint GENERATED ALWAYS AS IDENTITY, intents bigint NOT NULL);
    CREATE FUNCTION shop.log_settle() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
    BEGIN
      IF current_query() LIKE '%.delivered %' THEN -- scheduled intents that fall due are moved by a DELETE too
        INSERT INTO shop.settles (intents) SELECT count(*) FROM gone;
      END IF;
      RETURN NULL;
    END $$;
    CREATE TRIGGER log_settle AFTER DELETE ON outbox.intents
      REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION shop.log_settle()`)
  return {
    async read() {
      const rows = await db.rows<{ intents: string }>('SELECT intents FROM shop.settles ORDER BY ordinal')
      return rows.map(({ intents }) => Number(intents))
    },
  }
}
