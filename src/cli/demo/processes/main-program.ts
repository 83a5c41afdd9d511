/** The file of this command line: `src/cli/main.ts`, `dist/cli/main.js`, or a link to one of them in `node_modules/.bin`. */
export const MAIN = process.argv[1] ?? ''

/** The hidden command that runs `postgres-host.ts`. */
export const HOST_COMMAND = 'demo-postgres'
