import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createWriteStream, type WriteStream } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

const MAIN = fileURLToPath(new URL('../../../src/cli/main.ts', import.meta.url))
const FLAGS = [
  '--no-check-region',
  '--breaker-half-open-after=1',
  '--breaker-max-half-open-after=2',
  '--request-timeout=3',
  '--shutdown-timeout=25',
]
const RESTART_MS = 1_000

export interface SupervisedRelayOptions {
  readonly number: number
  readonly databaseUrl: string
  readonly customerioUrl: string
  readonly logFile: string
  /** Called if the relay exited by itself, or with a status other than 0 after SIGTERM. */
  readonly onProblem: (problem: string) => void
}

/** Runs `customerio-outbox relay` like a service manager: restarts the relay if it exits. */
export class SupervisedRelay {
  readonly #options: SupervisedRelayOptions
  readonly #log: WriteStream
  #child: ChildProcess | undefined
  #stopping: ChildProcess | undefined
  #wanted = false
  #running: Promise<void> = Promise.resolve()
  #restarts = 0

  constructor(options: SupervisedRelayOptions) {
    this.#options = options
    this.#log = createWriteStream(options.logFile)
  }

  get isRunning(): boolean {
    return this.#child !== undefined
  }

  get restarts(): number {
    return this.#restarts
  }

  /** Starts the relay and keeps it running. Does nothing if the relay runs already. */
  start(): void {
    if (this.#wanted) return
    this.#wanted = true
    this.#running = this.#supervise(this.#running)
  }

  signal(signal: 'SIGSTOP' | 'SIGCONT'): void {
    this.#child?.kill(signal)
  }

  /** Sends SIGKILL and does not restart the relay. */
  async kill(): Promise<void> {
    this.#wanted = false
    this.#child?.kill('SIGKILL')
    await this.#running
  }

  /**
   * Sends SIGTERM and does not restart the relay. SIGCONT follows, because a frozen process does not handle the signal.
   * A relay that is already stopping gets no second SIGTERM, which would end it at once.
   */
  async stop(): Promise<void> {
    this.#wanted = false
    if (this.#stopping !== this.#child) this.#child?.kill('SIGTERM')
    this.#stopping = this.#child
    this.#child?.kill('SIGCONT')
    await this.#running
  }

  /** Sends SIGKILL without waiting, for the exit handler of the soak's process. */
  killNow(): void {
    this.#wanted = false
    this.#child?.kill('SIGKILL')
  }

  async #supervise(before: Promise<void>): Promise<void> {
    await before
    while (this.#wanted) {
      await this.#runOnce()
      this.#restarts++
      if (this.#wanted) await delay(RESTART_MS)
    }
  }

  async #runOnce(): Promise<void> {
    const { number, databaseUrl, customerioUrl, onProblem } = this.#options
    const child = spawn(process.execPath, [MAIN, 'relay', ...FLAGS], {
      env: {
        PATH: process.env.PATH,
        DATABASE_URL: databaseUrl,
        CUSTOMERIO_SITE_ID: 'site',
        CUSTOMERIO_TRACK_API_KEY: 'key',
        CUSTOMERIO_TRACK_URL: customerioUrl,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    this.#child = child
    let hasStarted = false
    child.stdout.on('data', (chunk: Buffer) => {
      hasStarted ||= chunk.includes('"message":"started"')
      this.#log.write(chunk)
    })
    child.stderr.on('data', (chunk: Buffer) => this.#log.write(chunk))
    const [code, signal] = await once(child, 'close')
    this.#child = undefined
    this.#log.write(`--- exited: ${signal ?? `status ${code}`}\n`)
    if (this.#wanted && hasStarted)
      onProblem(`relay ${number} exited by itself: ${signal ?? `status ${code}`}`)
    if (!this.#wanted && hasStarted && signal === null && code !== 0)
      onProblem(`relay ${number} exited with status ${code} after SIGTERM`)
  }
}
