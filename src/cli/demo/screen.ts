import { MultiBar, type SingleBar } from 'cli-progress'
import { count, type Painter } from '../output/format.ts'

/** What the demo shows at one moment. */
export interface View {
  readonly elapsedMs: number
  readonly target: number
  readonly committed: number
  readonly delivered: number
  readonly backlog: number
  /** `3.2 s`, or empty where nothing waits. */
  readonly oldest: string
  readonly breaker: string
  readonly breakerIsClosed: boolean
  readonly relays: string
  /** What happens now, for people. */
  readonly now: string
}

export interface Screen {
  /** Something has happened: it stays on the screen, with its time. */
  event(elapsedMs: number, text: string): void
  update(view: View): void
  close(): void
}

const PLAIN_LINE_EVERY_MS = 1_000

export function openScreen(stream: NodeJS.WriteStream, paint: Painter): Screen {
  return stream.isTTY ? new LiveScreen(stream, paint) : new PlainScreen(stream)
}

/** One line a second, and one for each event: for a log, a pipe, or CI. */
class PlainScreen implements Screen {
  readonly #stream: NodeJS.WriteStream
  #lastMs = Number.NEGATIVE_INFINITY

  constructor(stream: NodeJS.WriteStream) {
    this.#stream = stream
  }

  event(elapsedMs: number, text: string): void {
    this.#stream.write(`${time(elapsedMs)}  * ${text}\n`)
  }

  update(view: View): void {
    if (view.elapsedMs - this.#lastMs < PLAIN_LINE_EVERY_MS) return
    this.#lastMs = view.elapsedMs
    const { committed, delivered, backlog, breaker, relays } = view
    this.#stream.write(
      `${time(view.elapsedMs)}  committed ${pad(committed)}  delivered ${pad(delivered)}  backlog ${pad(backlog)}  ` +
        `breaker ${breaker}  relays ${relays}\n`,
    )
  }

  close(): void {}
}

/** Bars that move, below the events that stay. */
class LiveScreen implements Screen {
  readonly #paint: Painter
  readonly #bars: MultiBar
  readonly #rows: Record<'committed' | 'delivered' | 'backlog', SingleBar>
  readonly #texts: Record<'breaker' | 'relays' | 'now', SingleBar>

  constructor(stream: NodeJS.WriteStream, paint: Painter) {
    this.#paint = paint
    const bars = new MultiBar({
      stream,
      format: '',
      barsize: 32,
      barCompleteChar: '█',
      barIncompleteChar: '░',
      hideCursor: true,
      clearOnComplete: true,
      gracefulExit: false,
      emptyOnZero: true,
      forceRedraw: true, // events push the rows down: also those that did not change
      fps: 10,
    })
    const row = (label: string, format: string) =>
      bars.create(1, 0, { text: '' }, { format: `  ${paint.dim(label.padEnd(10))} ${format}` })
    this.#bars = bars
    bars.create(1, 0, {}, { format: ' ' }) // a line of air below the events
    this.#rows = {
      committed: row('committed', `${paint.cyan('{bar}')} {text}`),
      delivered: row('delivered', `${paint.green('{bar}')} {text}`),
      backlog: row('backlog', `${paint.yellow('{bar}')} {text}`),
    }
    this.#texts = {
      breaker: row('breaker', '{text}'),
      relays: row('relays', '{text}'),
      now: row('now', '{text}'),
    }
  }

  event(elapsedMs: number, text: string): void {
    this.#bars.log(`  ${this.#paint.dim(time(elapsedMs))}  ${text}\u001b[K\n`)
  }

  update(view: View): void {
    const { paint, rows, texts } = { paint: this.#paint, rows: this.#rows, texts: this.#texts }
    const set = (bar: SingleBar, value: number, text: string) => {
      bar.setTotal(view.target)
      bar.update(Math.min(value, view.target), { text })
    }
    set(rows.committed, view.committed, `${pad(view.committed)} of ${count(view.target)}`)
    set(rows.delivered, view.delivered, pad(view.delivered))
    set(
      rows.backlog,
      view.backlog,
      `${pad(view.backlog)}${view.oldest && paint.dim(`  oldest ${view.oldest}`)}`,
    )
    texts.breaker.update(0, { text: (view.breakerIsClosed ? paint.green : paint.red)(view.breaker) })
    texts.relays.update(0, { text: view.relays })
    texts.now.update(0, { text: `${paint.bold(view.now)}  ${paint.dim(time(view.elapsedMs).trim())}` })
  }

  close(): void {
    this.#bars.update() // what was logged since the last frame
    this.#bars.stop()
  }
}

function time(ms: number): string {
  return `${(ms / 1_000).toFixed(1).padStart(5)} s`
}

function pad(value: number): string {
  return count(value).padStart(7)
}
