import { randomBytes } from 'node:crypto'
import { Cleanup } from './cleanup.ts'
import { EXIT, reportFailure } from '../errors.ts'
import { interceptFatal } from '../process/fatal.ts'
import { painter } from '../output/format.ts'
import { type DemoResult, renderResult } from './evidence/report.ts'
import { playDemo } from './play-demo.ts'
import { RUN_PREFIX } from './guard.ts'
import type { DemoOptions } from './stage.ts'

const INTERRUPTED = 130

/** Plays the demo, prints what it came to, and takes everything down again. Resolves with the exit status. */
export async function runDemo(options: DemoOptions): Promise<number> {
  const cleanup = new Cleanup()
  const abort = new AbortController()
  let signals = 0
  const onSignal = () => {
    if (++signals > 2) process.exit(INTERRUPTED) // taking down hangs: somebody insists
    abort.abort(new Error('interrupted'))
  }
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, onSignal)
  const restore = interceptFatal((error) => abort.abort(error))
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
  restore()
  if (!(outcome instanceof Error)) return print(outcome, options.json)
  if (signals === 0) return reportFailure(outcome)
  console.error('customerio-outbox: interrupted, relays and servers of the demo have been taken down')
  return INTERRUPTED
}

function print(result: DemoResult, json: boolean): number {
  if (json) console.log(JSON.stringify(result))
  else console.log(`\n${renderResult(result, painter(process.stdout.isTTY))}`)
  return result.holds ? EXIT.ok : EXIT.failed
}
