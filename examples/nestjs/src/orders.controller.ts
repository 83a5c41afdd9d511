import { Body, Controller, Inject, Post } from '@nestjs/common'
import { OrdersService, type PlaceOrder } from './orders.service.ts'

@Controller('orders')
export class OrdersController {
  constructor(@Inject(OrdersService) private readonly orders: OrdersService) {}

  @Post()
  place(@Body() order: PlaceOrder) {
    return this.orders.place(order)
  }
}
