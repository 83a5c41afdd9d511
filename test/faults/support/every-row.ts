import type { TestDatabase } from '../../support/database.ts'

/** All texts in all rows of the tables and views of both schemas, by `<table>.<column>`. */
export async function everyText(db: TestDatabase): Promise<Map<string, string[]>> {
  const tables = await db.rows<{ name: string }>(
    `SELECT format('%I.%I', n.nspname, c.relname) AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname IN ('outbox', 'outbox_pgboss') AND c.relkind IN ('r', 'p', 'v', 'm')`,
  )
  const texts = new Map<string, string[]>()
  for (const { name } of tables) {
    const rows = await db.rows<{ row: Record<string, unknown> }>(`SELECT to_jsonb(t) AS row FROM ${name} t`)
    for (const { row } of rows) {
      for (const [column, value] of Object.entries(row)) {
        const place = `${name}.${column}`
        texts.set(place, [...(texts.get(place) ?? []), ...textsIn(value)])
      }
    }
  }
  return texts
}

/** All texts and numbers in a JSON value, including property names. */
export function textsIn(value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return [String(value)]
  return Object.entries(value).flatMap(([name, each]) => [name, ...textsIn(each)])
}

/** Each line, and all texts in it if it is JSON. */
export function textsOfLines(lines: string): string[] {
  return lines.split('\n').flatMap((line) => {
    try {
      return [line, ...textsIn(JSON.parse(line))]
    } catch {
      return [line]
    }
  })
}
