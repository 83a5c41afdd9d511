import Fastify from 'fastify'
import { createTable } from './database.ts'
import { type Order, placeOrder } from './orders.ts'

await createTable()

const app = Fastify()

const schema = {
  body: {
    type: 'object',
    required: ['id', 'userId', 'total'],
    properties: {
      id: { type: 'string' },
      userId: { type: 'string' },
      total: { type: 'number' },
      fail: { type: 'boolean' },
    },
  },
}

app.post<{ Body: Order }>('/orders', { schema }, async (request, reply) => {
  reply.code(201)
  return placeOrder(request.body)
})

const address = await app.listen({ port: Number(process.env.PORT ?? 3000) })
console.log(`listening on ${address}`)
