import type { Intercepted } from '../support/gateway.ts'

/** What a proxy, a firewall or an API gateway on the way to Customer.io says in its own name; it passes nothing on. */
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

interface Words {
  readonly status: number
  readonly type: 'application/json' | 'text/html'
  readonly body: string
}

const page = (text: string) => `<html><head><title>${text}</title></head><body><h1>${text}</h1></body></html>`
const html = (status: number, text: string): Words => ({ status, type: 'text/html', body: page(text) })
const json = (status: number, message: string): Words => ({
  status,
  type: 'application/json',
  body: JSON.stringify({ message }),
})

const WORDS: Readonly<Record<GatewayAnswer, Words>> = {
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
  /** Only to bodies with this text. */
  readonly text?: string
}

/** Those that are under way; the earliest of them answers. */
export class GatewayAnswers {
  readonly #active = new Set<Active>()

  /** @returns what ends it. */
  begin(answer: GatewayAnswer, ref: number): () => void {
    const active = { answer, ...(answer === '403 to a text' ? { text: `${ref}"` } : {}) }
    this.#active.add(active)
    return () => this.#active.delete(active)
  }

  /** For `Gateway.intercept`. */
  readonly intercept = ({ passage, response }: Intercepted): 'pass on' | undefined => {
    const active = [...this.#active].find(({ text }) => text === undefined || passage.body.includes(text))
    if (!active) return 'pass on'
    const { status, type, body } = WORDS[active.answer]
    response.writeHead(status, { 'content-type': type }).end(body)
    return undefined
  }
}
