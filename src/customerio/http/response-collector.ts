import { DecoratorHandler, type Dispatcher } from 'undici/index.js'
import type { Answered } from '../answers/received.ts'
import { unpack } from './unpack.ts'

type Handler = Required<
  Pick<
    Dispatcher.DispatchHandler,
    'onRequestStart' | 'onResponseStart' | 'onResponseData' | 'onResponseEnd' | 'onResponseError'
  >
>
type Headers = Readonly<Record<string, string | string[] | undefined>>

/** Callbacks of a {@link ResponseCollector}. */
export interface CollectorEvents {
  /** The request was written to a connection, and may have arrived. */
  onWritten(): void
  onStatus(status: number): void
  onAnswered(answered: Answered): void
}

const FIRST_BUFFER_BYTES = 4_096

/**
 * Collects one response in memory, decompresses it, and passes it on to fetch in one piece. The agent aborts a response
 * that is longer than `MAX_ANSWER_BYTES` on the wire, and `unpack` has the same limit. fetch gets no `Content-Encoding`,
 * because it would decompress without a limit: 2 MB of gzip became 2 GB.
 */
export class ResponseCollector implements Handler {
  readonly #events: CollectorEvents
  readonly #fetch: Handler
  #status = 0
  #headers: Headers = {}
  /** A single buffer, not a list of chunks: a body of 1 MB may arrive in a million chunks. */
  #buffer = Buffer.allocUnsafe(FIRST_BUFFER_BYTES)
  #bytes = 0

  constructor(handler: Dispatcher.DispatchHandler, events: CollectorEvents) {
    this.#events = events
    // The fetch of Node 22 and 24 has handlers with `onConnect`, `onHeaders`, and `onData`. That of Node 26 has handlers
    // with the methods of this class. undici's decorator supports both.
    this.#fetch = new DecoratorHandler(handler) as unknown as Handler
  }

  onRequestStart(controller: Dispatcher.DispatchController, context: unknown): void {
    this.#events.onWritten()
    this.#fetch.onRequestStart(controller, context)
  }

  onResponseStart(_: Dispatcher.DispatchController, status: number, headers: Headers): void {
    if (status < 200) return // an informational response: another one follows
    this.#status = status
    this.#headers = headers
    this.#events.onStatus(status)
  }

  onResponseData(_: Dispatcher.DispatchController, chunk: Buffer): void {
    const end = this.#bytes + chunk.length
    if (end > this.#buffer.length) {
      const grown = Buffer.allocUnsafe(Math.max(end, 2 * this.#buffer.length))
      this.#buffer.copy(grown, 0, 0, this.#bytes)
      this.#buffer = grown
    }
    chunk.copy(this.#buffer, this.#bytes)
    this.#bytes = end
  }

  onResponseEnd(controller: Dispatcher.DispatchController): void {
    let body: Uint8Array
    try {
      body = unpack(this.#buffer.subarray(0, this.#bytes), this.#header('content-encoding'))
    } catch (error) {
      this.onResponseError(controller, error as Error)
      return
    }
    this.#events.onAnswered({
      status: this.#status,
      contentType: this.#header('content-type'),
      body: new TextDecoder().decode(body),
      retryAfter: this.#header('retry-after'),
      date: this.#header('date'),
    })
    const location = this.#header('location')
    const headers = location === undefined ? {} : { location }
    const complete = completeResponse(controller, headers)
    this.#fetch.onResponseStart(complete, this.#status, headers, '')
    if (body.length > 0) this.#fetch.onResponseData(complete, Buffer.from(body))
    this.#fetch.onResponseEnd(complete, {})
  }

  onResponseError(controller: Dispatcher.DispatchController, error: Error): void {
    this.#fetch.onResponseError(controller, error)
  }

  #header(name: string): string | undefined {
    const value = this.#headers[name]
    return Array.isArray(value) ? value.join(', ') : value
  }
}

/** The controller of a complete response. Nothing is left to pause. */
function completeResponse(
  controller: Dispatcher.DispatchController,
  headers: Readonly<Record<string, string>>,
): Dispatcher.DispatchController {
  return {
    get aborted() {
      return controller.aborted
    },
    get reason() {
      return controller.reason
    },
    paused: false,
    rawHeaders: Object.entries(headers)
      .flat()
      .map((text) => Buffer.from(text, 'latin1')),
    rawTrailers: [],
    abort: (reason) => controller.abort(reason),
    pause() {},
    resume() {},
  }
}
