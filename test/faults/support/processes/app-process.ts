import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { EnqueueResult } from '../../../../src/index.ts'
import type { AppWork } from './app-child.ts'

const CHILD = fileURLToPath(new URL('./app-child.ts', import.meta.url))

export interface AppRun {
  readonly signal: NodeJS.Signals | null
  /** The output of an app that exited normally. */
  readonly said?: { readonly results: EnqueueResult[]; readonly now: number }
}

/**
 * Runs an app in a separate process (`app-child.ts`), and waits for its end.
 *
 * @param end `killed`: the app gets SIGKILL as soon as the first COMMIT is confirmed.
 */
export async function runApp(
  databaseUrl: string,
  work: AppWork,
  end: 'killed' | 'exit',
  nodeFlags: readonly string[] = [],
): Promise<AppRun> {
  const child = spawn(process.execPath, [...nodeFlags, CHILD], {
    env: { ...process.env, DATABASE_URL: databaseUrl, APP_WORK: JSON.stringify(work), APP_END: end },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let output = ''
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString()
  })
  const [code, signal] = await once(child, 'close')
  if (end === 'killed') return { signal }
  if (code !== 0) throw new Error(`the app exited with ${code ?? signal}`)
  return { signal, said: JSON.parse(output) }
}
