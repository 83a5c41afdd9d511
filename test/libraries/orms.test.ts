import { contract } from './contract/contract.ts'
import { mikroOrm, mikroOrmExplicit } from './open/mikro-orm.ts'
import { prisma, prismaAdapter, prismaExtended } from './open/prisma.ts'
import { sequelize } from './open/sequelize.ts'
import { typeorm, typeormQueryRunner } from './open/typeorm.ts'

contract([
  prisma,
  prismaExtended,
  prismaAdapter,
  typeorm,
  typeormQueryRunner,
  mikroOrm,
  mikroOrmExplicit,
  sequelize,
])
