import { randomBytes } from 'node:crypto'
import { EXIT, reportFailure } from '../errors.ts'
import { painter } from '../output/format.ts'
import { interceptFatal } from '../process/fatal.ts'
import { Cleanup } from './cleanup.ts'
import { type DemoResult, renderResult } from './evidence/report.ts'
import { RUN_PREFIX } from './refuse-foreign-work.ts'
import { playDemo } from './play-demo.ts'
import { watchParent } from './processes/watch-parent.ts'
import type { DemoOptions } from './stage.ts'

const INTERRUPTED = 130
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/**
 * Plays the demo, prints its result and removes everything it started. Resolves with the exit status.
 *
 * What ends the processes and servers, whatever ends the demo:
 * - a signal (also SIGHUP of a closed terminal), or the end of the parent (`watchParent`), aborts the run. Then `Cleanup`
 *   undoes each step;
 * - if the demo itself is killed, its IPC channels close. A relay takes that as SIGTERM (`stopWithParent`), and the process
 *   of `postgres-host.ts` stops the server and removes its data.
 */
export async function runDemo(options: DemoOptions): Promise<number> {
  const cleanup = new Cleanup()
  const abort = new AbortController()
  let interruptions = 0
  const interrupt = () => {
    if (++interruptions > 2) process.exit(INTERRUPTED) // the clean-up hangs, and the user insists
    abort.abort(new Error('interrupted'))
  }
  for (const signal of SIGNALS) process.on(signal, interrupt)
  const unwatchParent = watchParent(interrupt)
  const restore = interceptFatal((error) => abort.abort(error))
  process.stderr.on('error', () => {}) // a closed terminal; the clean-up must go on
  let outcome: DemoResult | Error
  try {
    outcome = await playDemo({
      ...options,
      run: `${RUN_PREFIX}${randomBytes(3).toString('hex')}`,
      abort,
      cleanup,
      output: options.json ? process.stderr : process.stdout,
    })
  } catch (error) {
    outcome = (abort.signal.aborted ? abort.signal.reason : error) as Error
  }
  await cleanup.run()
  unwatchParent()
  restore()
  if (!(outcome instanceof Error)) return print(outcome, options.json)
  if (interruptions === 0) return reportFailure(outcome)
  console.error('customerio-outbox: interrupted; the relays and servers of the demo have been stopped')
  return INTERRUPTED
}

function print(result: DemoResult, json: boolean): number {
  if (json) console.log(JSON.stringify(result))
  else console.log(`\n${renderResult(result, painter(process.stdout))}`)
  return result.holds ? EXIT.ok : EXIT.failed
}
