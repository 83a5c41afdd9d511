import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { extname } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

/** This CLI's own file, in `src` and in `dist` alike. */
const MAIN = fileURLToPath(new URL(`../main${extname(import.meta.url)}`, import.meta.url))

export interface RelayProcessOptions {
  /** For people: `relay A`. */
  readonly name: string
  readonly environment: Readonly<Record<string, string>>
  readonly args: readonly string[]
  /** It ended without having been asked to. */
  readonly onDeath: (error: Error) => void
}

/** A relay as it runs in production: a process of its own, started by this CLI's command line. */
export class RelayProcess {
  readonly name: string
  readonly #child: ChildProcess
  readonly #exited: Promise<unknown>
  readonly #started = Promise.withResolvers<string>()
  #relayId: string | undefined
  #asked = false
  #lastWords = ''

  constructor(options: RelayProcessOptions) {
    this.name = options.name
    this.#child = spawn(process.execPath, [...process.execArgv, MAIN, 'relay', ...options.args], {
      env: { ...process.env, ...options.environment },
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'], // the channel tells it when this process has gone
    })
    this.#exited = once(this.#child, 'exit')
    this.#started.promise.catch(() => {}) // whoever waits for it hears of it
    this.#child.stderr?.on('data', (chunk: Buffer) => {
      this.#lastWords = (this.#lastWords + chunk.toString()).slice(-2_000)
    })
    if (this.#child.stdout) createInterface(this.#child.stdout).on('line', (line) => this.#read(line))
    this.#child.once('error', (error) => this.#started.reject(error))
    this.#child.once('exit', (code, signal) => {
      const words = this.#lastWords.trim().split('\n').at(-1) ?? ''
      const error = new Error(`${this.name} ended by itself (${signal ?? `status ${code}`}): ${words}`)
      this.#started.reject(error)
      if (!this.#asked) options.onDeath(error)
    })
  }

  get alive(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null
  }

  /** Known once it has started. */
  get relayId(): string | undefined {
    return this.#relayId
  }

  /** Resolves when it takes part in the fleet. */
  async started(): Promise<void> {
    this.#relayId = await this.#started.promise
  }

  /** As a machine that loses its power: nothing is handed back. */
  kill(): void {
    this.#asked = true
    this.#child.kill('SIGKILL')
  }

  /** As a deployment does it; resolves with the exit status. */
  async stop(): Promise<number | null> {
    this.#asked = true
    if (this.alive) this.#child.kill('SIGTERM')
    await this.#exited
    return this.#child.exitCode
  }

  /** Resolves when the process has gone. */
  async gone(): Promise<void> {
    if (this.alive) await this.#exited
  }

  #read(line: string): void {
    try {
      const entry = JSON.parse(line)
      if (entry.message === 'started') this.#started.resolve(entry.relayId)
    } catch {
      // not a log line
    }
  }
}
