import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { RelayOptions } from '../../../../src/relay.ts'
import { eventually } from '../../../support/eventually.ts'

const CHILD = fileURLToPath(new URL('../../../support/relay-child.ts', import.meta.url))

/** A relay in a separate process, which the test can kill, freeze and wake. */
export interface RelayChild {
  readonly relayId: string
  /** When the relay had started, in Unix milliseconds by the clock of its host. */
  readonly startedAt: number
  /** Sends SIGKILL. Resolves when the process has exited. Its sessions at the server may outlive it. */
  kill(): Promise<void>
  /** Sends SIGSTOP. Resolves when the process is stopped. */
  freeze(): Promise<void>
  /** Sends SIGCONT. */
  wake(): void
}

/**
 * @param nodeFlags Node.js flags of the process: `['--import', …]`.
 * @throws Error with the process's stderr if the relay exits before it has started.
 */
export async function startRelayChild(
  options: RelayOptions,
  nodeFlags: readonly string[] = [],
): Promise<RelayChild> {
  const child = spawn(process.execPath, [...nodeFlags, CHILD], {
    env: { ...process.env, RELAY_OPTIONS: JSON.stringify(options) },
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  })
  let errors = ''
  child.stderr?.on('data', (chunk: Buffer) => {
    errors = (errors + chunk.toString()).slice(-4_000)
  })
  const [message] = await Promise.race([
    once(child, 'message'),
    once(child, 'exit').then(([code]) =>
      Promise.reject(new Error(`the relay exited with ${code}: ${errors}`)),
    ),
  ])
  const { started, at } = message as { started: string; at: number }
  return {
    relayId: started,
    startedAt: at,
    kill: () => killAndWait(child),
    async freeze() {
      child.kill('SIGSTOP')
      await eventually('the relay to stand still', async () => {
        const { stdout } = await promisify(execFile)('ps', ['-o', 'stat=', '-p', String(child.pid)])
        return stdout.trim().startsWith('T')
      })
    },
    wake: () => void child.kill('SIGCONT'),
  }
}

async function killAndWait(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exited = once(child, 'exit')
  child.kill('SIGKILL')
  await exited
}
