import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

const MAIN = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url))

export interface RelayProcess {
  readonly child: ChildProcess
  /** The lines that the relay has logged until now. */
  readonly log: Record<string, unknown>[]
  kill(signal: NodeJS.Signals): Promise<{ code: number | null; signal: NodeJS.Signals | null }>
}

/** Runs `customerio-outbox relay` in a separate process, as in production. Resolves when it has started. */
export async function startRelayProcess(
  databaseUrl: string,
  customerioUrl: string,
  ...flags: string[]
): Promise<RelayProcess> {
  const child = spawn(process.execPath, [MAIN, 'relay', '--no-check-region', ...flags], {
    env: {
      ...process.env,
      DATABASE_URL: databaseUrl,
      CUSTOMERIO_SITE_ID: 'site',
      CUSTOMERIO_TRACK_API_KEY: 'key',
      CUSTOMERIO_TRACK_URL: customerioUrl,
    },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'], // the relay exits when this process ends
  })
  const log: Record<string, unknown>[] = []
  const started = Promise.withResolvers<void>()
  let rest = ''
  let errors = ''
  child.stdout?.on('data', (chunk: Buffer) => {
    const lines = (rest + chunk.toString()).split('\n')
    rest = lines.pop() ?? ''
    log.push(...lines.map((line) => JSON.parse(line) as Record<string, unknown>))
    if (log.some(({ message }) => message === 'started')) started.resolve()
  })
  child.stderr?.on('data', (chunk: Buffer) => {
    errors += chunk.toString()
  })
  child.once('exit', (code) => started.reject(new Error(`the relay exited with ${code}: ${errors}`)))
  await started.promise
  return {
    child,
    log,
    async kill(signal) {
      const exited = once(child, 'exit')
      child.kill(signal)
      const [code, by] = await exited
      return { code, signal: by }
    },
  }
}
