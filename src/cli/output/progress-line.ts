/** Work that takes less time needs no progress. */
const FIRST_MS = 2_000
const EVERY_MS = 250

const CLEAR_LINE = '\r\u001b[K'

/**
 * Shows a line on a terminal after two seconds, and updates it. Shows nothing if the stream is no terminal.
 *
 * @returns a function that removes the line.
 */
export function showProgress(
  stream: Pick<NodeJS.WriteStream, 'write' | 'isTTY'>,
  line: () => string,
): () => void {
  if (!stream.isTTY) return () => {}
  const show = () => stream.write(`${CLEAR_LINE}${line()}`)
  let timer = setTimeout(() => {
    show()
    timer = setInterval(show, EVERY_MS)
  }, FIRST_MS)
  const startedAt = performance.now()
  return () => {
    clearTimeout(timer) // of a timeout or an interval
    if (performance.now() - startedAt >= FIRST_MS) stream.write(CLEAR_LINE)
  }
}
