import { MikroORM } from '@mikro-orm/postgresql'

export const orm = await MikroORM.init({
  clientUrl: process.env.DATABASE_URL ?? '',
  entities: [],
  discovery: { warnWhenNoEntities: false },
})
