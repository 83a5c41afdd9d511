import type { Intercepted } from '../../support/network/gateway.ts'

/** Answers of a proxy, firewall or API gateway in front of Customer.io. It does not forward the request. */
export const GATEWAY_ANSWERS = [
  'json 400',
  'html 403',
  '403 to a text',
  'json 404',
  'empty 200',
  'html 413',
  '401',
] as const

export type GatewayAnswer = (typeof GATEWAY_ANSWERS)[number]

interface Reply {
  readonly status: number
  readonly type: 'application/json' | 'text/html'
  readonly body: string
}

const page = (text: string) => `<html><head><title>${text}</title></head><body><h1>${text}</h1></body></html>`
const html = (status: number, text: string): Reply => ({ status, type: 'text/html', body: page(text) })
const json = (status: number, message: string): Reply => ({
  status,
  type: 'application/json',
  body: JSON.stringify({ message }),
})

const REPLIES: Readonly<Record<GatewayAnswer, Reply>> = {
  'json 400': json(400, 'Bad Request'),
  'html 403': html(403, '403 Forbidden'),
  '403 to a text': html(403, 'The request was blocked'),
  'json 404': json(404, 'no Route matched with those values'),
  'empty 200': { status: 200, type: 'text/html', body: '' },
  'html 413': html(413, '413 Request Entity Too Large'),
  '401': json(401, 'Unauthorized'),
}

interface Active {
  readonly answer: GatewayAnswer
  /** Answers only requests whose body contains this text. */
  readonly text?: string
}

/** The answers that are active now. If several match a request, the one that began first answers it. */
export class GatewayAnswers {
  readonly #active = new Set<Active>()

  /**
   * Answers every request in this way from now on; with `403 to a text`, only requests with a ref that ends with `ref`.
   *
   * @returns a function that ends the answer.
   */
  begin(answer: GatewayAnswer, ref: number): () => void {
    const active = { answer, ...(answer === '403 to a text' ? { text: `${ref}"` } : {}) }
    this.#active.add(active)
    return () => this.#active.delete(active)
  }

  /** The interceptor for `Gateway.intercept`. */
  readonly intercept = ({ passage, response }: Intercepted): 'pass on' | undefined => {
    const active = [...this.#active].find(({ text }) => text === undefined || passage.body.includes(text))
    if (!active) return 'pass on'
    const { status, type, body } = REPLIES[active.answer]
    response.writeHead(status, { 'content-type': type }).end(body)
    return undefined
  }
}
