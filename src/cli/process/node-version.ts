/** Ends the process with one line if Node.js is too old. Imported first: other modules would fail with another error. */
const NEEDED = [22, 12] as const

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
if (major < NEEDED[0] || (major === NEEDED[0] && minor < NEEDED[1])) {
  console.error(
    `customerio-outbox: Expected Node.js ${NEEDED.join('.')} or later, got ${process.versions.node}: upgrade Node.js`,
  )
  process.exit(2)
}
