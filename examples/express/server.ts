import express from 'express'
import { pool } from './database.ts'
import { placeOrder } from './orders.ts'

await pool.query(
  'CREATE TABLE IF NOT EXISTS orders (id text PRIMARY KEY, user_id text NOT NULL, total numeric NOT NULL)',
)

const app = express()
app.use(express.json())

app.post('/orders', async (request, response) => {
  const result = await placeOrder(request.body)
  response.status(201).json(result)
})

const server = app.listen(process.env.PORT ?? 3000, () => console.log('listening on', server.address()))
