import { contract } from './contract/contract.ts'
import { prisma, prismaAdapter, prismaExtended } from './open/prisma.ts'
import { typeorm, typeormQueryRunner } from './open/typeorm.ts'

contract([prisma, prismaExtended, prismaAdapter, typeorm, typeormQueryRunner])
