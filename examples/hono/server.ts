import { serve } from '@hono/node-server'
import { sql } from 'drizzle-orm'
import { Hono } from 'hono'
import { db, type Order, placeOrder } from './orders.ts'

await db.execute(
  sql`CREATE TABLE IF NOT EXISTS orders (id text PRIMARY KEY, user_id text NOT NULL, total numeric NOT NULL)`,
)

const app = new Hono()

app.post('/orders', async (c) => {
  const order = await c.req.json<Order>()
  return c.json(await placeOrder(order), 201)
})

serve({ fetch: app.fetch, port: Number(process.env.PORT ?? 3000) }, ({ port }) => {
  console.log(`listening on port ${port}`)
})
