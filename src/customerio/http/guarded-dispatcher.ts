// Not 'undici': Bun replaces that by a module of its own, which lacks the agent.
import { Agent, Dispatcher } from 'undici/index.js'
import { type Answered, MAX_ANSWER_BYTES } from '../answers/received.ts'
import { RedirectError } from '../answers/redirect-error.ts'
import { ResponseCollector } from './response-collector.ts'

/** Maximum redirects of a request: a longer chain is a loop. */
const MAX_REDIRECTS = 3
/** Maximum bytes of the head of an answer. */
const MAX_HEADER_BYTES = 16_384

/**
 * A keep-alive agent. Each destination has its own.
 *
 * undici 7, not 8: version 7 is the newest that runs on Node 22.12 and accepts the handlers of the fetch in Node 22, 24
 * and 26.
 *
 * @param timeoutMs Milliseconds to connect, to receive the head, and between two pieces of the body.
 */
export function keepAliveAgent(timeoutMs: number): Agent {
  return new Agent({
    connections: 64,
    pipelining: 1,
    keepAliveTimeout: 30_000,
    connect: { timeout: timeoutMs },
    headersTimeout: timeoutMs,
    bodyTimeout: timeoutMs,
    maxHeaderSize: MAX_HEADER_BYTES,
    maxResponseSize: MAX_ANSWER_BYTES,
  })
}

/**
 * Passes the requests of one call on to the agent, with two additions.
 *
 * It limits redirects. customerio-node follows any number of them to any host. The guard allows the configured origin, and
 * https on customer.io, so that credential and payload go nowhere else.
 *
 * It records what customerio-node does not report: whether the request was written to a connection, and the response.
 */
export class GuardedDispatcher extends Dispatcher {
  readonly #agent: Dispatcher
  readonly #origin: string
  #requests = 0
  #written = false
  #status: number | undefined
  #answered: Answered | undefined

  constructor(agent: Dispatcher, origin: string) {
    super()
    this.#agent = agent
    this.#origin = origin
  }

  /** The last response of the call; undefined if it did not arrive in full. */
  get answered(): Answered | undefined {
    return this.#answered
  }

  /** Status of the last response of the call that began to arrive. */
  get status(): number | undefined {
    return this.#status
  }

  /** Whether the last request of the call was written to a connection, so that it may have arrived. */
  get written(): boolean {
    return this.#written
  }

  override dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
    const target = new URL(String(options.origin))
    this.#written = false
    this.#answered = undefined
    if (++this.#requests > 1 + MAX_REDIRECTS) throw new RedirectError(`more than ${MAX_REDIRECTS} redirects`)
    if (target.origin !== this.#origin && !isCustomerIo(target)) {
      throw new RedirectError('the target is not https on customer.io')
    }
    this.#status = undefined
    const collector = new ResponseCollector(handler, {
      onWritten: () => {
        this.#written = true
      },
      onStatus: (status) => {
        this.#status = status
      },
      onAnswered: (answered) => {
        this.#answered = answered
      },
    })
    return this.#agent.dispatch({ ...options, headers: headersOf(options.headers) ?? null }, collector)
  }
}

/**
 * The headers to send. They ask for an answer without compression. The fetch of Node 22 joins the Content-Length of
 * customerio-node with its own to `2, 2`, which undici refuses, so only the first number is passed on.
 */
function headersOf(headers: Dispatcher.DispatchOptions['headers']): Dispatcher.DispatchOptions['headers'] {
  if (headers === null || typeof headers !== 'object' || Symbol.iterator in headers) return headers
  const kept = Object.entries(headers).flatMap(([name, value]) => {
    switch (name.toLowerCase()) {
      case 'accept-encoding':
        return []
      case 'content-length':
        return [[name, String(value).split(',', 1)[0]]]
      default:
        return [[name, value]]
    }
  })
  return { ...Object.fromEntries(kept), 'accept-encoding': 'identity' }
}

function isCustomerIo(url: URL): boolean {
  return (
    url.protocol === 'https:' && (url.hostname === 'customer.io' || url.hostname.endsWith('.customer.io'))
  )
}
