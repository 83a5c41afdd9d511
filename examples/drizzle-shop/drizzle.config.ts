import { defineConfig } from 'drizzle-kit'

// drizzle-kit owns the schema `public` and leaves `outbox` and `outbox_pgboss` to `customerio-outbox migrate`.
export default defineConfig({
  dialect: 'postgresql',
  schema: './schema.ts',
  out: './migrations',
  schemaFilter: ['public'],
  dbCredentials: { url: process.env.DATABASE_URL ?? '' },
})
