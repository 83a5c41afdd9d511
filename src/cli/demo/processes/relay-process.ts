import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { MAIN } from './main-program.ts'

/** A line of the relay's log. */
export type LogEntry = Readonly<Record<string, unknown>>

export interface RelayProcessOptions {
  /** Name in the output: `relay A`. */
  readonly name: string
  readonly environment: Readonly<Record<string, string>>
  readonly args: readonly string[]
  readonly onLog: (entry: LogEntry) => void
  /** The process ended, and the demo had not asked for it. */
  readonly onDeath: (error: Error) => void
}

/** A relay as it runs in production: a process of its own, started by this package's command line. */
export class RelayProcess {
  readonly name: string
  readonly #child: ChildProcess
  readonly #exited: Promise<unknown>
  readonly #started = Promise.withResolvers<string>()
  readonly #onLog: (entry: LogEntry) => void
  #relayId: string | undefined
  #isEndRequested = false
  #lastErrors = ''

  constructor(options: RelayProcessOptions) {
    this.name = options.name
    this.#onLog = options.onLog
    this.#child = spawn(process.execPath, [...process.execArgv, MAIN, 'relay', ...options.args], {
      env: { ...process.env, ...options.environment },
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'], // the relay stops when this channel closes
    })
    this.#exited = once(this.#child, 'exit')
    this.#started.promise.catch(() => {}) // reported by started()
    this.#child.stderr?.on('data', (chunk: Buffer) => {
      this.#lastErrors = (this.#lastErrors + chunk.toString()).slice(-2_000)
    })
    if (this.#child.stdout) createInterface(this.#child.stdout).on('line', (line) => this.#read(line))
    this.#child.once('error', (error) => this.#started.reject(error))
    this.#child.once('exit', (code, signal) => {
      const lastLine = this.#lastErrors.trim().split('\n').at(-1) ?? ''
      const error = new Error(`${this.name} ended unexpectedly (${signal ?? `status ${code}`}): ${lastLine}`)
      this.#started.reject(error)
      if (!this.#isEndRequested) options.onDeath(error)
    })
  }

  get isAlive(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null
  }

  /** Known once the relay has started. */
  get relayId(): string | undefined {
    return this.#relayId
  }

  /** Resolves when the relay takes part in the fleet. */
  async started(): Promise<void> {
    this.#relayId = await this.#started.promise
  }

  /** SIGKILL, as when a machine loses its power: the relay hands nothing back. */
  kill(): void {
    this.#isEndRequested = true
    this.#child.kill('SIGKILL')
  }

  /** SIGTERM, as a deployment does it; resolves with the exit status. */
  async stop(): Promise<number | null> {
    this.#isEndRequested = true
    if (this.isAlive) this.#child.kill('SIGTERM')
    await this.#exited
    return this.#child.exitCode
  }

  /** Resolves when the process has ended. */
  async ended(): Promise<void> {
    if (this.isAlive) await this.#exited
  }

  #read(line: string): void {
    let entry: LogEntry
    try {
      entry = JSON.parse(line)
    } catch {
      return // not a log line
    }
    if (entry.message === 'started') this.#started.resolve(String(entry.relayId))
    this.#onLog(entry)
  }
}
