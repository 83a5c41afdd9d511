import { type ChildProcess, fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { ArrivalLog } from '../oracle/judge-arrivals.ts'
import type { JournalReport } from './journal.ts'
import type { ApiCommand, ApiMessage } from './messages.ts'

const SERVER = fileURLToPath(new URL('./server.ts', import.meta.url))

/** The API server's process, controlled by messages. */
export class Api implements AsyncDisposable {
  readonly url: string
  readonly #child: ChildProcess

  private constructor(child: ChildProcess, port: number) {
    this.#child = child
    this.url = `http://127.0.0.1:${port}`
  }

  static async start(): Promise<Api> {
    const child = fork(SERVER, { serialization: 'advanced' })
    child.setMaxListeners(0) // an `untilSeen` that loses a race keeps its listener until the process ends
    const { port } = await nextMessage(child, 'listening')
    return new Api(child, port)
  }

  get pid(): number {
    return this.#child.pid ?? 0
  }

  /** Starts a run: clears the journal and expects refs below `expected`. Each answer takes `latencyMs` milliseconds. */
  async begin(expected: number, latencyMs: number): Promise<void> {
    await this.#ask({ kind: 'begin', expected, latencyMs }, 'begun')
  }

  /** Resolves when `seen` different refs were received and answered. Rejects after 60 s without a new one. */
  async untilSeen(seen: number): Promise<void> {
    await this.#ask({ kind: 'await', seen }, 'seen')
  }

  async report(): Promise<JournalReport> {
    return (await this.#ask({ kind: 'report' }, 'report')).report
  }

  /** All arrivals in order, for the oracle. */
  async log(): Promise<ArrivalLog> {
    return (await this.#ask({ kind: 'log' }, 'log')).log
  }

  /** First arrival by ref, in ms of the monotonic clock. 0 for a ref that has not arrived. */
  async arrivals(): Promise<Float64Array> {
    return (await this.#ask({ kind: 'arrivals' }, 'arrivals')).arrivals
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill()
  }

  #ask<Kind extends ApiMessage['kind']>(command: ApiCommand, kind: Kind) {
    const answer = nextMessage(this.#child, kind)
    this.#child.send(command)
    return answer
  }
}

function nextMessage<Kind extends ApiMessage['kind']>(
  child: ChildProcess,
  kind: Kind,
): Promise<Extract<ApiMessage, { kind: Kind }>> {
  return new Promise((resolve, reject) => {
    const onMessage = (message: ApiMessage) => {
      const stalled = message.kind === 'stalled' && kind === 'seen'
      if (message.kind !== kind && !stalled) return
      child.off('message', onMessage).off('exit', onExit)
      if (stalled) reject(new Error(`no new event arrived within 60 s; received ${message.seen} events`))
      else resolve(message as Extract<ApiMessage, { kind: Kind }>)
    }
    const onExit = (code: number | null) => reject(new Error(`the API server exited with code ${code}`))
    child.on('message', onMessage).once('exit', onExit)
  })
}
