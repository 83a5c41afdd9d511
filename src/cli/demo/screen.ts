import { MultiBar, type SingleBar } from 'cli-progress'
import { count, type Painter, wrap } from '../output/format.ts'

/** The numbers and words that the screen shows at one moment. */
export interface View {
  readonly elapsedMs: number
  /** Intents that the shop will commit. */
  readonly target: number
  readonly committed: number
  readonly delivered: number
  readonly backlog: number
  /** Age of the oldest intent, such as `3.2s`; empty if the backlog is empty. */
  readonly oldest: string
  readonly breaker: string
  readonly breakerIsClosed: boolean
  readonly relaysAlive: number
  readonly relays: number
  /** A phrase for what happens at present: `business as usual`. */
  readonly now: string
}

export interface Screen {
  /** Prints an event with its time; it stays on the screen. */
  event(elapsedMs: number, text: string): void
  update(view: View): void
  close(): void
}

const PLAIN_LINE_EVERY_MS = 1_000
/** Columns before the text of an event: its time and two spaces. */
const EVENT_INDENT = 11

export function openScreen(stream: NodeJS.WriteStream, paint: Painter): Screen {
  return stream.isTTY ? new LiveScreen(stream, paint) : new PlainScreen(stream)
}

/** A table that grows by a line a second, with the events in between: for a log, a pipe, or CI. */
export class PlainScreen implements Screen {
  readonly #stream: Pick<NodeJS.WriteStream, 'write'>
  #lastMs = Number.NEGATIVE_INFINITY

  constructor(stream: Pick<NodeJS.WriteStream, 'write'>) {
    this.#stream = stream
  }

  event(elapsedMs: number, text: string): void {
    this.#stream.write(`${time(elapsedMs)} * ${wrap(text, EVENT_INDENT)}\n`)
  }

  update(view: View): void {
    if (view.elapsedMs - this.#lastMs < PLAIN_LINE_EVERY_MS) return
    const isFirst = this.#lastMs === Number.NEGATIVE_INFINITY
    this.#lastMs = view.elapsedMs
    if (isFirst) this.#stream.write('    time  committed  delivered  backlog  relays  breaker\n')
    const { committed, delivered, backlog, breaker, relays, relaysAlive } = view
    this.#stream.write(
      `${time(view.elapsedMs)}  ${pad(committed, 9)}  ${pad(delivered, 9)}  ${pad(backlog, 7)}  ` +
        `${relaysAlive} of ${relays}  ${breaker}\n`,
    )
  }

  close(): void {}
}

/** Moving bars, below the events. */
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
      forceRedraw: true, // an event moves every row down, changed or not
      fps: 10,
    })
    const row = (label: string, format: string) =>
      bars.create(1, 0, { text: '' }, { format: `  ${paint.dim(label.padEnd(10))} ${format}` })
    this.#bars = bars
    bars.create(1, 0, {}, { format: ' ' }) // an empty line below the events
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
    const lines = wrap(text, EVENT_INDENT).replaceAll('\n', '\u001b[K\n')
    this.#bars.log(`  ${this.#paint.dim(time(elapsedMs))} ${lines}\u001b[K\n`)
  }

  update(view: View): void {
    const { paint, rows, texts } = { paint: this.#paint, rows: this.#rows, texts: this.#texts }
    const set = (bar: SingleBar, value: number, text: string) => {
      bar.setTotal(view.target)
      bar.update(Math.min(value, view.target), { text })
    }
    set(rows.committed, view.committed, `${pad(view.committed, 7)} of ${count(view.target)}`)
    set(rows.delivered, view.delivered, pad(view.delivered, 7))
    set(
      rows.backlog,
      view.backlog,
      `${pad(view.backlog, 7)}${view.oldest && paint.dim(`  oldest ${view.oldest}`)}`,
    )
    texts.breaker.update(0, { text: (view.breakerIsClosed ? paint.green : paint.red)(view.breaker) })
    texts.relays.update(0, { text: `${view.relaysAlive} of ${view.relays} alive` })
    texts.now.update(0, { text: `${paint.bold(view.now)}  ${paint.dim(time(view.elapsedMs).trim())}` })
  }

  close(): void {
    this.#bars.update() // prints the events since the last frame
    this.#bars.stop()
  }
}

function time(ms: number): string {
  return `${(ms / 1_000).toFixed(1).padStart(6)} s`
}

function pad(value: number, width: number): string {
  return count(value).padStart(width)
}
