import { setTimeout as delay } from 'node:timers/promises'
import { failAction } from '../../store/actions/fail-action.ts'
import { findOpenActions } from '../../store/actions/find-open-actions.ts'
import { type ActionChunk, runAction } from '../../store/actions/run-action.ts'
import { isConnectionError } from '../../store/connection/connection-error.ts'
import type { Database } from '../../store/connection/database.ts'
import type { Job, JobQueues } from '../jobs/job-queues.ts'
import { backoffMs } from '../timing/backoff.ts'

const QUEUE = 'actions'
/** Intents of one chunk. A chunk of 5,000 takes about 0.2 s, after which a cancel takes effect. */
const CHUNK = 5_000
/** A chunk that fails this often in a row ends its action. A lost database does not count. */
const MAX_FAILURES = 5
const RETRY_MS = { first: 500, max: 10_000 }

export interface ActionRunnerOptions {
  /** Reads which actions are open. */
  readonly db: Database
  /** Runs the chunks, which may take minutes. */
  readonly longDb: Database
  readonly queues: Pick<JobQueues, 'offer' | 'take' | 'finish' | 'releaseDeadWorkers'>
  /** Aborted when the relay stops: the action ends after its chunk, and another relay continues it. */
  readonly stopping: AbortSignal
  readonly onProgress: (actionId: string, chunk: ActionChunk) => void
  readonly onError: (error: Error) => void
}

/**
 * Carries out the bulk actions of operators, one at a time. pg-boss hands an action to one relay. The action's own row says how
 * far it is, and its lock keeps a second relay away, so a job that is lost or outdated does no harm.
 */
export class ActionRunner {
  readonly #options: ActionRunnerOptions
  #polling: Promise<void> | undefined
  #running: { readonly job: Job; readonly ended: Promise<void> } | undefined

  constructor(options: ActionRunnerOptions) {
    this.#options = options
  }

  /** The job of the action that this relay carries out. */
  get active(): Job[] {
    return this.#running ? [this.#running.job] : []
  }

  /** Takes an open action, unless this relay carries out one already. */
  poll(): Promise<void> {
    this.#polling ??= this.#poll().finally(() => {
      this.#polling = undefined
    })
    return this.#polling
  }

  /** Resolves when the chunk that runs has ended. */
  async stopped(): Promise<void> {
    await this.#polling?.catch(() => {})
    await this.#running?.ended
  }

  async #poll(): Promise<void> {
    const { db, queues, stopping } = this.#options
    if (this.#running || stopping.aborted) return
    const open = await findOpenActions(db)
    if (open.length === 0) return
    await queues.offer(
      QUEUE,
      open.map((actionId) => ({ key: actionId, data: { actionId } })),
    )
    const [job] = await queues.take(QUEUE, 1)
    if (!job) {
      queues.releaseDeadWorkers(true) // the relay that has the action may have died
      return
    }
    const ended = this.#run(job).finally(() => {
      this.#running = undefined
    })
    this.#running = { job, ended }
  }

  /** Never rejects. */
  async #run(job: Job): Promise<void> {
    const { queues, stopping, onError } = this.#options
    const { actionId } = job.data as { actionId: string }
    try {
      for (let isOpen = true; isOpen && !stopping.aborted; ) isOpen = await this.#chunk(actionId)
      await queues.finish(job)
    } catch (error) {
      onError(error as Error) // the job's heartbeat is missed, and another relay continues
    }
  }

  /** @returns whether the action has another chunk. */
  async #chunk(actionId: string): Promise<boolean> {
    const { longDb, stopping, onProgress } = this.#options
    const startedAt = performance.now()
    for (let failures = 0; !stopping.aborted; ) {
      try {
        const chunk = await runAction(longDb, actionId, CHUNK)
        if (!chunk) return false
        onProgress(actionId, chunk)
        if (chunk.state !== 'running') return false
        await this.#wait(paceMs(chunk, performance.now() - startedAt))
        return true
      } catch (error) {
        if (stopping.aborted) return false // the next relay tries again, and records a failure
        if (!isConnectionError(error as Error)) failures++
        const giveUp = failures >= MAX_FAILURES
        await this.#recordFailure(actionId, error as Error, giveUp)
        if (giveUp) return false
        await this.#wait(backoffMs(Math.max(1, failures), RETRY_MS))
      }
    }
    return false
  }

  async #recordFailure(actionId: string, error: Error, giveUp: boolean): Promise<void> {
    const { db, onError } = this.#options
    onError(error)
    await failAction(db, actionId, error.message, giveUp).catch(onError)
  }

  async #wait(ms: number): Promise<void> {
    await delay(ms, undefined, { signal: this.#options.stopping }).catch(() => {}) // the relay stops
  }
}

/** Milliseconds to wait after a chunk, so that the action does not exceed its rate. */
function paceMs({ done, rate }: ActionChunk, tookMs: number): number {
  return rate === null ? 0 : Math.max(0, (done / rate) * 1_000 - tookMs)
}
