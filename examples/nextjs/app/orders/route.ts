import { type Order, placeOrder } from '../../lib/orders.ts'

export async function POST(request: Request): Promise<Response> {
  const order: Order = await request.json()
  return Response.json(await placeOrder(order), { status: 201 })
}
