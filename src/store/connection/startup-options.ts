import pg from 'pg'
import { Connections } from './connection.ts'

/**
 * Whether a connection may be opened with these `options` (`-c name=value`). A pooler in transaction mode refuses
 * them: its connections are shared, and a setting of one client would be everybody's.
 *
 * @throws what a connection without them throws: the database cannot be reached, or does not let us in.
 */
export async function acceptsStartupOptions(connectionString: string, options: string): Promise<boolean> {
  const connections = new Connections({ connectionString, applicationName: 'customerio-outbox relay jobs' })
  const connect = async (config: pg.ClientConfig) => {
    const client = new pg.Client(config)
    client.on('error', () => {}) // it is ended at once
    try {
      await client.connect()
    } finally {
      await connections.close(client.end())
    }
  }
  try {
    await connect({ ...connections.config, options })
    return true
  } catch {
    await connect(connections.config)
    return false
  }
}
