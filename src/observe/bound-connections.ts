import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

/**
 * Keeps an HTTP server at `most` connections without ever refusing a new one: the oldest makes room. Connections
 * without a complete request go first, so that silent or slow clients do not cut off an answer that is under way.
 * With a plain `maxConnections` that many slow clients kept every probe out. A connection has one request at a time.
 */
export function boundConnections(server: Server, most: number): void {
  // Sets keep the order of insertion: the first element is the oldest.
  const waiting = new Set<Socket>()
  const answering = new Set<Socket>()
  const forget = (socket: Socket) => {
    waiting.delete(socket)
    answering.delete(socket)
  }
  server.on('connection', (socket: Socket) => {
    if (waiting.size + answering.size >= most) {
      const [oldest] = waiting.size > 0 ? waiting : answering
      if (oldest) {
        forget(oldest) // at once: 'close' comes in a later tick, after other connections
        oldest.destroy()
      }
    }
    waiting.add(socket)
    socket.once('close', () => forget(socket))
  })
  server.prependListener('request', ({ socket }: IncomingMessage, response: ServerResponse) => {
    if (!waiting.delete(socket)) {
      socket.destroy() // a second request before the first is answered: one write can hold thousands
      return
    }
    answering.add(socket)
    response.once('close', () => {
      if (answering.delete(socket) && !socket.destroyed) waiting.add(socket)
    })
  })
}
