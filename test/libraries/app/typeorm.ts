import { DataSource } from 'typeorm'

export const dataSource = await new DataSource({
  type: 'postgres',
  url: process.env.DATABASE_URL ?? '',
}).initialize()
