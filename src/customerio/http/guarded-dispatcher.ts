import { Agent, Dispatcher } from 'undici'
import { type Answered, MAX_ANSWER_BYTES } from '../answers/received.ts'
import { RedirectError } from '../answers/redirect-error.ts'
import { ResponseCollector } from './response-collector.ts'

/** A redirect chain longer than this is a loop. */
const MAX_REDIRECTS = 3
/** Longest head of an answer, in bytes. */
const MAX_HEADER_BYTES = 16_384

/**
 * One keep-alive agent per destination.
 *
 * undici 7 and not 8: it is the newest that runs on Node 22.12 and takes the handlers of the fetch that is
 * built into Node 22, 24 and 26 alike.
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
 * Passes one call's requests on to the agent. It bounds redirects: customerio-node follows any number of them,
 * anywhere; here only the configured origin, and https on customer.io's own domain, are ever spoken to, so that
 * the credential and the payload go nowhere else. And it keeps what customerio-node does not tell: whether the request got
 * as far as a connection, and the response as it came.
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

  /** Whether the last request of the call was put on a connection, and may therefore have arrived. */
  get written(): boolean {
    return this.#written
  }

  override dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
    const target = new URL(String(options.origin))
    this.#written = false
    this.#answered = undefined
    if (++this.#requests > 1 + MAX_REDIRECTS) throw new RedirectError(`more than ${MAX_REDIRECTS} redirects`)
    if (target.origin !== this.#origin && !isCustomerIo(target)) {
      throw new RedirectError('it leads to a host that is not https on customer.io')
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
 * Asks for an answer that is not compressed. The fetch of Node 22 joins the Content-Length that customerio-node sets with
 * its own, to `2, 2`, which undici refuses: the agent is given the one number.
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
