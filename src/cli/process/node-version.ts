/** Ends the process with one line on a Node.js that is too old; imported before what would fail with another. */
const NEEDED = [22, 12] as const

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
if (major < NEEDED[0] || (major === NEEDED[0] && minor < NEEDED[1])) {
  console.error(
    `customerio-outbox: needs Node.js ${NEEDED.join('.')} or later, this is ${process.versions.node}`,
  )
  process.exit(2)
}
