import { Agent, Dispatcher } from 'undici'

/** A redirect chain longer than this is a loop. */
const MAX_REDIRECTS = 3

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
  })
}

/** What the last response of a call began with; undefined until one arrived. */
export interface ResponseHead {
  readonly status: number
  readonly contentType: string | undefined
  readonly retryAfter: string | undefined
  readonly date: string | undefined
  /** Bytes of the body that have arrived, as they were on the wire. */
  readonly bodyBytes: number
}

/**
 * Passes one call's requests on to the agent. It bounds redirects: customerio-node follows any number of them,
 * anywhere; here only the configured origin, and https on customer.io's own domain, are ever spoken to, so that
 * the credential and the payload go nowhere else. And it remembers what customerio-node does not tell: whether the
 * request got as far as a connection, and the response's status where the body is not JSON.
 */
export class GuardedDispatcher extends Dispatcher {
  readonly #agent: Dispatcher
  readonly #origin: string
  #requests = 0
  #written = false
  #head: ResponseHead | undefined

  constructor(agent: Dispatcher, origin: string) {
    super()
    this.#agent = agent
    this.#origin = origin
  }

  get head(): ResponseHead | undefined {
    return this.#head
  }

  /** Whether the last request of the call was put on a connection, and may therefore have arrived. */
  get written(): boolean {
    return this.#written
  }

  override dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
    const target = new URL(String(options.origin))
    this.#head = undefined
    this.#written = false
    if (++this.#requests > 1 + MAX_REDIRECTS) throw new Error(`more than ${MAX_REDIRECTS} redirects`)
    if (target.origin !== this.#origin && !isCustomerIo(target)) {
      throw new Error(`redirected to ${target.origin}, which is not https on customer.io: not followed`)
    }
    return this.#agent.dispatch(
      { ...options, headers: withOneLength(options.headers) ?? null },
      this.#remembering(handler),
    )
  }

  /**
   * Node 22 and 24 hand in handlers with `onConnect`, `onHeaders` and `onData`, Node 26 ones with
   * `onRequestStart`, `onResponseStart` and `onResponseData`.
   */
  #remembering(handler: Dispatcher.DispatchHandler): Dispatcher.DispatchHandler {
    return new Proxy(handler, {
      get: (target, property) => {
        const member: unknown = Reflect.get(target, property)
        if (typeof member !== 'function') return member
        return (...args: unknown[]) => {
          this.#remember(property, args)
          return member.apply(target, args)
        }
      },
    })
  }

  #remember(event: string | symbol, args: readonly unknown[]): void {
    switch (event) {
      case 'onConnect':
      case 'onRequestStart':
        this.#written = true
        break
      case 'onHeaders':
        this.#rememberHead(args[0], (name) => rawHeader(args[1], name))
        break
      case 'onResponseStart':
        this.#rememberHead(args[1], (name) => header(args[2], name))
        break
      case 'onData':
        this.#rememberBody(args[0])
        break
      case 'onResponseData':
        this.#rememberBody(args[1])
    }
  }

  #rememberHead(status: unknown, header: (name: string) => string | undefined): void {
    if (typeof status !== 'number' || status < 200) return
    const [contentType, retryAfter] = [header('content-type'), header('retry-after')]
    this.#head = { status, contentType, retryAfter, date: header('date'), bodyBytes: 0 }
  }

  #rememberBody(chunk: unknown): void {
    if (this.#head === undefined || !(chunk instanceof Uint8Array)) return
    this.#head = { ...this.#head, bodyBytes: this.#head.bodyBytes + chunk.byteLength }
  }
}

/**
 * The fetch of Node 22 joins the Content-Length that customerio-node sets with its own, to `2, 2`, which undici
 * refuses: the agent is given the one number.
 */
function withOneLength(
  headers: Dispatcher.DispatchOptions['headers'],
): Dispatcher.DispatchOptions['headers'] {
  if (headers === null || typeof headers !== 'object' || Symbol.iterator in headers) return headers
  const name = Object.keys(headers).find((key) => key.toLowerCase() === 'content-length')
  if (name === undefined) return headers
  const [first] = String(headers[name]).split(',', 1)
  return { ...headers, [name]: first }
}

function rawHeader(headers: unknown, name: string): string | undefined {
  if (!Array.isArray(headers)) return undefined
  const at = headers.findIndex((entry, i) => i % 2 === 0 && String(entry).toLowerCase() === name)
  return at === -1 ? undefined : String(headers[at + 1])
}

function header(headers: unknown, name: string): string | undefined {
  const value = (headers as Record<string, unknown> | null | undefined)?.[name]
  return value === undefined ? undefined : String(value)
}

function isCustomerIo(url: URL): boolean {
  return (
    url.protocol === 'https:' && (url.hostname === 'customer.io' || url.hostname.endsWith('.customer.io'))
  )
}
