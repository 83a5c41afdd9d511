import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { SettingError } from '../../errors.ts'
import type { DemoPostgres } from '../stage.ts'
import { HOST_COMMAND, MAIN } from './main-program.ts'

/** The message from the host process to the demo. */
export type PostgresReport =
  | ({ readonly kind: 'started' } & DemoPostgres)
  | { readonly kind: 'failed'; readonly message: string }

/** A Postgres server for this run, in a process that stops it even if the demo is killed. */
export class OwnPostgres {
  readonly #host: ChildProcess
  readonly #exited: Promise<unknown>
  readonly #reported = Promise.withResolvers<PostgresReport>()

  constructor() {
    this.#host = spawn(process.execPath, [...process.execArgv, MAIN, HOST_COMMAND], {
      detached: true, // a session of its own: no signal of the terminal reaches the server
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    })
    this.#exited = once(this.#host, 'exit')
    this.#host.once('message', (message) => this.#reported.resolve(message as PostgresReport))
    this.#host.once('error', (error) => this.#reported.reject(error))
    this.#host.once('exit', () => this.#reported.reject(new Error('the Postgres host process ended')))
    this.#reported.promise.catch(() => {}) // reported by started()
  }

  /** @throws SettingError if this machine has no server to start. */
  async started(): Promise<DemoPostgres> {
    const report = await this.#reported.promise
    if (report.kind === 'started') return report
    throw new SettingError(report.message)
  }

  /** Stops the server and removes its folder. */
  async stop(): Promise<void> {
    if (this.#host.exitCode !== null || this.#host.signalCode !== null) return
    if (this.#host.connected) this.#host.send('stop', () => {}) // the host may be ending already
    await this.#exited
  }
}
