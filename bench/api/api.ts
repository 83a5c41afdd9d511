import { type ChildProcess, fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { ArrivalLog } from '../oracle/judge-arrivals.ts'
import type { JournalReport } from './journal.ts'
import type { ApiCommand, ApiMessage } from './messages.ts'

const SERVER = fileURLToPath(new URL('./server.ts', import.meta.url))

/** The API's process as the benchmark steers it. */
export class Api implements AsyncDisposable {
  readonly url: string
  readonly #child: ChildProcess

  private constructor(child: ChildProcess, port: number) {
    this.#child = child
    this.url = `http://127.0.0.1:${port}`
  }

  static async start(): Promise<Api> {
    const child = fork(SERVER, { serialization: 'advanced' })
    child.setMaxListeners(0) // whoever waits for what no longer comes is forgotten with the run
    const { port } = await heard(child, 'listening')
    return new Api(child, port)
  }

  get pid(): number {
    return this.#child.pid ?? 0
  }

  /** Forgets what was seen; refs below `expected` are known from now on. */
  async begin(expected: number, latencyMs: number): Promise<void> {
    await this.#ask({ kind: 'begin', expected, latencyMs }, 'begun')
  }

  /** Resolves when so many different refs were received and answered; rejects where no more come. */
  async untilSeen(seen: number): Promise<void> {
    await this.#ask({ kind: 'await', seen }, 'seen')
  }

  async report(): Promise<JournalReport> {
    return (await this.#ask({ kind: 'report' }, 'report')).report
  }

  /** For the oracle: what arrived, in order. */
  async log(): Promise<ArrivalLog> {
    return (await this.#ask({ kind: 'log' }, 'log')).log
  }

  /** Ms of the monotonic clock by ref; 0 where it has not arrived. */
  async arrivals(): Promise<Float64Array> {
    return (await this.#ask({ kind: 'arrivals' }, 'arrivals')).arrivals
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill()
  }

  #ask<Kind extends ApiMessage['kind']>(command: ApiCommand, kind: Kind) {
    const answer = heard(this.#child, kind)
    this.#child.send(command)
    return answer
  }
}

function heard<Kind extends ApiMessage['kind']>(
  child: ChildProcess,
  kind: Kind,
): Promise<Extract<ApiMessage, { kind: Kind }>> {
  return new Promise((resolve, reject) => {
    const onMessage = (message: ApiMessage) => {
      const stalled = message.kind === 'stalled' && kind === 'seen'
      if (message.kind !== kind && !stalled) return
      child.off('message', onMessage).off('exit', onExit)
      if (stalled) reject(new Error(`nothing new has arrived for 60 s, after ${message.seen} events`))
      else resolve(message as Extract<ApiMessage, { kind: Kind }>)
    }
    const onExit = (code: number | null) => reject(new Error(`the API server ended with ${code}`))
    child.on('message', onMessage).once('exit', onExit)
  })
}
