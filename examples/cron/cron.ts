import { handler } from './deliver.ts'

await handler()
