import 'reflect-metadata'
import { NestFactory } from '@nestjs/core'
import { AppModule } from './app.module.ts'

async function bootstrap() {
  const app = await NestFactory.create(AppModule, { logger: ['error', 'warn'] })
  await app.listen(process.env.PORT ?? 3000)
  console.log(`listening on ${await app.getUrl()}`)
}

void bootstrap()
