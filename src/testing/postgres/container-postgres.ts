import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import type { StartedServer } from './server.ts'

/** Image of the container. OUTBOX_TEST_POSTGRES_IMAGE replaces it, for a mirror or another major version. */
const IMAGE = process.env.OUTBOX_TEST_POSTGRES_IMAGE ?? 'postgres:18-alpine'

/** Starts a container. Undefined if Docker does not answer, Testcontainers is missing, or the container does not start. */
export async function startContainerPostgres(settings: string[]): Promise<StartedServer | undefined> {
  if (!(await dockerAnswers())) return undefined
  const module = await import('@testcontainers/postgresql').catch(() => undefined)
  if (!module) return undefined
  const container = await new module.PostgreSqlContainer(IMAGE)
    .withCommand(['postgres', ...settings.flatMap((setting) => ['-c', setting])])
    .start()
    .catch((error: Error) => {
      // Docker may have neither the image nor a registry. The embedded server is as real, so the caller uses it then.
      console.error(`Docker answers, but ${IMAGE} could not be started (${error.message.split('\n', 1)[0]})`)
    })
  if (!container) return undefined
  return {
    url: container.getConnectionUri(),
    source: `container ${IMAGE}`,
    stop: async () => {
      await container.stop()
    },
  }
}

async function dockerAnswers(): Promise<boolean> {
  try {
    await promisify(execFile)('docker', ['version', '--format', '{{.Server.Version}}'], { timeout: 5_000 })
    return true
  } catch {
    return false
  }
}
