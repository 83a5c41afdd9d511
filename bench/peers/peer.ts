import type pg from 'pg'
import type { WorkerCommand } from '../machine/worker-process.ts'
import type { Committed } from '../oracle/judge-arrivals.ts'

/** The store and the API of a run. */
export interface Endpoints {
  /** URL of the peer's own database, or of Redis. */
  readonly storeUrl: string
  readonly apiUrl: string
}

interface PeerBase {
  readonly id: string
  /** Name in tables and charts. */
  readonly label: string
  /** Description of the settings, printed and stored with the results. */
  readonly settings: string
  /**
   * How many of `full` intents the peer drains at an API latency: fewer if all of them would take minutes. The rate does
   * not depend on the number, and a shorter backlog can only favour the peer.
   */
  count(full: number, latencyMs: number): number
  worker(endpoints: Endpoints): WorkerCommand
}

/** A peer that stores its jobs in Postgres. */
export interface PostgresPeer extends PeerBase {
  readonly store: 'postgres'
  install(url: string): Promise<void>
  /** Enqueues refs 0 … count - 1, in order. */
  fill(client: pg.Client, count: number): Promise<void>
  /** The events that `fill` committed. Only for a peer whose promises the oracle checks. */
  committed?(client: pg.Client): Promise<Committed>
}

/** A peer that stores its jobs in Redis. */
export interface RedisPeer extends PeerBase {
  readonly store: 'redis'
  fill(url: string, count: number): Promise<void>
}

export type Peer = PostgresPeer | RedisPeer
