import { createRequire } from 'node:module'

/** The version in package.json: `0.1.0`. */
export const VERSION: string = createRequire(import.meta.url)('../package.json').version
