export interface WatchOptions {
  /** Milliseconds from one frame to the next. */
  readonly everyMs: number
  /** True: overwrite the last frame. False: print frames one after the other. */
  readonly repaint: boolean
  readonly first: string
  /** Reads the next frame; never rejects. */
  readonly next: () => Promise<string>
}

const HIDE_CURSOR = '\u001b[?25l'
const SHOW_CURSOR = '\u001b[?25h'
const CLEAR = '\u001b[2J\u001b[H'

/**
 * Shows frames until SIGINT or SIGTERM.
 *
 * The repaint is eight lines of our own: `log-update` would bring 17 packages for it.
 */
export async function watch({ everyMs, repaint, first, next }: WatchOptions): Promise<void> {
  const stopped = Promise.withResolvers<void>()
  let isStopped = false
  const stop = () => {
    isStopped = true
    stopped.resolve()
  }
  process.once('SIGINT', stop)
  process.once('SIGTERM', stop)
  if (repaint) process.stdout.write(HIDE_CURSOR + CLEAR)
  try {
    for (
      let frame = first;
      !isStopped;
      frame = await Promise.race([next(), stopped.promise.then(() => '')])
    ) {
      show(frame, repaint, everyMs)
      let timer: NodeJS.Timeout | undefined
      const tick = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, everyMs)
      })
      await Promise.race([tick, stopped.promise])
      clearTimeout(timer)
    }
  } finally {
    process.off('SIGINT', stop)
    process.off('SIGTERM', stop)
    if (repaint) process.stdout.write(`\n${SHOW_CURSOR}`)
  }
}

function show(frame: string, repaint: boolean, everyMs: number): void {
  if (!repaint) {
    console.log(frame)
    return
  }
  const footer = `every ${everyMs / 1_000} s, Ctrl-C ends`
  const rows = process.stdout.rows ?? 50
  const lines = [...frame.split('\n').slice(0, rows - 3), '', footer]
  // Overwrites line by line: clearing the screen first would flicker.
  process.stdout.write(`\u001b[H${lines.map((line) => `${line}\u001b[K`).join('\n')}\u001b[J`)
}
