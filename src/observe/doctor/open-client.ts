import pg from 'pg'
import { Connections } from '../../store/connection/connection.ts'
import { ANSWER_MS } from './check.ts'

/** A connection of a check's own. */
export interface OpenClient {
  readonly client: pg.Client
  close(): Promise<void>
}

/** Connects, within `ANSWER_MS`. The caller closes the client. */
export async function openClient(connectionString: string): Promise<OpenClient> {
  const connections = new Connections({
    connectionString,
    applicationName: 'customerio-outbox doctor',
    connectTimeoutMs: ANSWER_MS,
    queryTimeoutMs: ANSWER_MS,
  })
  const client = new pg.Client(connections.config)
  client.on('error', () => {}) // the statement that runs fails too
  const close = () => connections.close(client.end())
  try {
    await client.connect()
    return { client, close }
  } catch (error) {
    connections.destroy()
    throw error
  }
}
