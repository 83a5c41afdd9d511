import Fastify from 'fastify'
import { type Order, placeOrder, prisma } from './orders.ts'

await prisma.$executeRaw`
  CREATE TABLE IF NOT EXISTS orders (id text PRIMARY KEY, user_id text NOT NULL, total numeric NOT NULL)`

const app = Fastify()

app.post<{ Body: Order }>('/orders', async (request, reply) => {
  reply.code(201)
  return placeOrder(request.body)
})

const address = await app.listen({ port: Number(process.env.PORT ?? 3000) })
console.log(`listening on ${address}`)
