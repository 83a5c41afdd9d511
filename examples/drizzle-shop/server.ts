import Fastify from 'fastify'
import { type Order, placeOrder } from './orders.ts'

const app = Fastify()

app.post<{ Body: Order }>('/orders', async (request, reply) => {
  reply.code(201)
  return placeOrder(request.body)
})

const address = await app.listen({ port: Number(process.env.PORT ?? 3000) })
console.log(`listening on ${address}`)
