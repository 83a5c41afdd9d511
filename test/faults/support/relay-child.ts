import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { RelayOptions } from '../../../src/index.ts'
import { eventually } from '../../support/eventually.ts'

const CHILD = fileURLToPath(new URL('../../support/relay-child.ts', import.meta.url))

/** A relay in a process of its own, to be killed, stopped and woken. */
export interface RelayChild {
  readonly relayId: string
  /** When it took part in the fleet, Unix ms by the clock of its host. */
  readonly startedAt: number
  /** SIGKILL. Resolves when the process is gone; its sessions at the server may outlive it. */
  kill(): Promise<void>
  /** SIGSTOP. Resolves when it stands still. */
  freeze(): Promise<void>
  /** SIGCONT. */
  wake(): void
}

/**
 * @param nodeFlags For the process, before its script: `['--import', …]`.
 * @throws with its last words, where it ends before it takes part in the fleet.
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
      Promise.reject(new Error(`the relay ended with ${code}: ${errors}`)),
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
