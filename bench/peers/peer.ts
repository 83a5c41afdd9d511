import type pg from 'pg'
import type { WorkerCommand } from '../machine/worker-process.ts'
import type { Committed } from '../oracle/judge-arrivals.ts'

/** Where a run happens. */
export interface Place {
  /** The peer's own database, or Redis. */
  readonly storeUrl: string
  readonly apiUrl: string
}

interface PeerBase {
  readonly id: string
  /** For tables and charts. */
  readonly label: string
  /** In words, printed and stored with the results. */
  readonly settings: string
  /**
   * How many intents of `full` it drains at an API latency: fewer where all of them would take minutes. A rate does
   * not depend on it; a shorter backlog is only ever to the peer's advantage.
   */
  count(full: number, latencyMs: number): number
  worker(place: Place): WorkerCommand
}

/** Keeps its jobs in Postgres. */
export interface PostgresPeer extends PeerBase {
  readonly store: 'postgres'
  install(url: string): Promise<void>
  /** Enqueues refs 0 … count - 1, in order. */
  fill(client: pg.Client, count: number): Promise<void>
  /** What `fill` committed, for a peer that promises what the oracle checks. */
  committed?(client: pg.Client): Promise<Committed>
}

/** Keeps its jobs in Redis. */
export interface RedisPeer extends PeerBase {
  readonly store: 'redis'
  fill(url: string, count: number): Promise<void>
}

export type Peer = PostgresPeer | RedisPeer
