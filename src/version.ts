import { createRequire } from 'node:module'

/** The version in package.json: `0.1.0`. The build replaces this module by one that has the value. */
export const VERSION: string = createRequire(import.meta.url)('../package.json').version
