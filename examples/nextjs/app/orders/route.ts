import { type Order, placeOrder } from '../../lib/orders'

export async function POST(request: Request): Promise<Response> {
  const order: Order = await request.json()
  return Response.json(await placeOrder(order), { status: 201 })
}
