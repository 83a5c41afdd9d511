import { Column, Entity, PrimaryColumn } from 'typeorm'

@Entity('orders')
export class Order {
  @PrimaryColumn('text')
  id!: string

  @Column('text', { name: 'user_id' })
  userId!: string

  @Column('numeric')
  total!: number
}
