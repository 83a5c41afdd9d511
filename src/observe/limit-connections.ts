import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

/**
 * Limits an HTTP server to `most` connections without refusing a new one: the server closes the oldest connection. It
 * closes connections without a complete request first, so that idle or slow clients do not interrupt an answer. With
 * Node's `maxConnections` instead, `most` slow clients blocked every probe. A second request on a connection, before the
 * answer to the first, closes the connection.
 */
export function limitConnections(server: Server, most: number): void {
  // A Set keeps the order of insertion, so its first element is the oldest.
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
        forget(oldest) // now, because 'close' is emitted in a later tick, after other connections
        oldest.destroy()
      }
    }
    waiting.add(socket)
    socket.once('close', () => forget(socket))
  })
  server.prependListener('request', ({ socket }: IncomingMessage, response: ServerResponse) => {
    if (!waiting.delete(socket)) {
      // A second request before the first answer: one write can hold thousands of requests.
      if (!socket.destroyed) closeCheaply(socket)
      return
    }
    answering.add(socket)
    response.once('close', () => {
      if (answering.delete(socket) && !socket.destroyed) waiting.add(socket)
    })
  })
}

/**
 * Closes a connection with many parsed requests. Node.js makes an error for each of them when the socket closes, and their
 * stacks were half of the relay's work with such a connection.
 */
function closeCheaply(socket: Socket): void {
  const { stackTraceLimit } = Error
  socket.prependOnceListener('close', () => {
    Error.stackTraceLimit = 0
  })
  socket.once('close', () => {
    Error.stackTraceLimit = stackTraceLimit
  })
  socket.destroy()
}
