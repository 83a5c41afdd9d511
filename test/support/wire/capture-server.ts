import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface Captured {
  readonly method: string
  readonly path: string
  readonly headers: IncomingHttpHeaders
  /** The unparsed body. */
  readonly text: string
  readonly body: unknown
}

export interface CannedAnswer {
  readonly status?: number
  readonly headers?: Record<string, string>
  readonly body?: string
}

export interface CaptureServer {
  readonly url: string
  /** Returns the requests since the last call, in order. */
  take(): Captured[]
  /** Sets the answer to later requests. Default: 200 `{}`. */
  answer(answer: CannedAnswer): void
  close(): Promise<void>
}

/** Starts an HTTP server that records requests, without any check of Customer.io's rules. */
export async function startCaptureServer(): Promise<CaptureServer> {
  let captured: Captured[] = []
  let canned: CannedAnswer = {}
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const text = Buffer.concat(chunks).toString()
      captured.push({
        method: request.method ?? '',
        path: request.url ?? '',
        headers: request.headers,
        text,
        body: text === '' ? undefined : JSON.parse(text),
      })
      const headers = canned.headers ?? { 'content-type': 'application/json' }
      response.writeHead(canned.status ?? 200, headers).end(canned.body ?? '{}')
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    take() {
      const taken = captured
      captured = []
      return taken
    },
    answer(answer) {
      canned = answer
    },
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
