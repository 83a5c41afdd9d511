import pg from 'pg'
import { Connections } from './connection.ts'

/**
 * Whether a connection may be opened with these `options` (`-c name=value`). A pooler in transaction mode refuses them,
 * because clients share its connections and would share the setting too.
 *
 * @throws Error if a connection without the options fails too: the server is unreachable, or rejects the user.
 */
export async function acceptsStartupOptions(connectionString: string, options: string): Promise<boolean> {
  const connections = new Connections({ connectionString, applicationName: 'customerio-outbox relay jobs' })
  const connect = async (config: pg.ClientConfig) => {
    const client = new pg.Client(config)
    client.on('error', () => {}) // the connection is closed at once
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
