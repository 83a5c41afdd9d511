import pg from 'pg'
import { createOutbox, type Outbox } from '../../../enqueue/outbox.ts'
import { Ledger } from './ledger.ts'
import { Pace } from './pace.ts'
import { handleRequest, intentsOf, type Request } from './shop-request.ts'

/** Requests that the shop works on at a time. */
const WRITERS = 8
/** Shares of requests; the rest are orders. */
const SHARE = { view: 0.2, signUp: 0.2 }
/** Share of transactions that are rolled back. */
const DECLINED = 0.2
/** Share of orders whose request is repeated, as by a client that got no answer. */
const REPEATED = 0.06
/** One order in this many has a note that the fake Customer.io rejects. */
const refusedOneIn = (intents: number) => Math.max(40, Math.floor(intents / 20))
export const REFUSED_NOTE = 'too long for Customer.io'

export interface ShopOptions {
  readonly connectionString: string
  readonly schema: string | undefined
  /** Prefix of every id of this run. */
  readonly run: string
  /** Intents to commit. */
  readonly intents: number
  readonly durationMs: number
  readonly signal: AbortSignal
}

/** Thrown in a transaction to roll it back: the card was declined. */
class Declined extends Error {}

/** A small shop: each request is one transaction with business rows and intents. */
export class Shop {
  readonly ledger = new Ledger()
  readonly #options: ShopOptions
  readonly #pool: pg.Pool
  readonly #outbox: Outbox
  readonly #signedUp: string[] = []
  #lastRef = 0
  #lastPerson = 0
  #lastOrder = 0

  constructor(options: ShopOptions) {
    this.#options = options
    this.#pool = new pg.Pool({
      connectionString: options.connectionString,
      max: WRITERS,
      application_name: 'customerio-outbox demo shop',
    })
    this.#pool.on('error', () => {}) // the next statement reports it
    this.#outbox = createOutbox({ schema: options.schema })
  }

  /** Handles requests until every intent is committed. Rejects when the signal is aborted. */
  async open(): Promise<void> {
    const pace = new Pace(this.#options.intents, this.#options.durationMs)
    await Promise.all(Array.from({ length: WRITERS }, () => this.#serve(pace)))
  }

  close(): Promise<void> {
    return this.#pool.end()
  }

  async #serve(pace: Pace): Promise<void> {
    for (;;) {
      const places = await pace.next(this.#options.signal)
      if (places === 0) return
      const request = this.#nextRequest(places)
      const { stored, declined } = await this.#transact(request, Math.random() < DECLINED)
      pace.done(places, stored)
      if (request.kind !== 'order') continue
      if (declined) await this.#tryAnotherCard(request, pace)
      else if (Math.random() < REPEATED) await this.#transact(request, false)
    }
  }

  /** Repeats the order with the same dedup keys: the rollback freed them. */
  async #tryAnotherCard(request: Request, pace: Pace): Promise<void> {
    const places = pace.take(2)
    const { stored } = places === 2 ? await this.#transact(request, false) : { stored: 0 }
    pace.done(places, stored)
  }

  #nextRequest(places: number): Request {
    const { run, intents } = this.#options
    const known = this.#signedUp[Math.floor(Math.random() * this.#signedUp.length)]
    const dice = Math.random()
    if (known !== undefined && (places === 1 || dice < SHARE.view)) return { kind: 'view', personId: known }
    if (known === undefined || dice < SHARE.view + SHARE.signUp) {
      return { kind: 'sign_up', personId: `${run}-person-${++this.#lastPerson}` }
    }
    const number = ++this.#lastOrder
    const every = refusedOneIn(intents)
    const note = number % every === Math.floor(every / 2) ? REFUSED_NOTE : ''
    return { kind: 'order', personId: known, orderId: `${run}-order-${number}`, note }
  }

  /** Runs one transaction and commits it, or rolls it back if `decline`. `stored`: intents that it committed. */
  async #transact(request: Request, decline: boolean): Promise<{ stored: number; declined: boolean }> {
    const { run } = this.#options
    const refs = Array.from({ length: intentsOf(request) }, () => `${run}-${++this.#lastRef}`)
    try {
      const duplicates = await this.#inTransaction(async (tx) => {
        const found = await handleRequest(tx, this.#outbox, run, request, refs)
        if (decline) throw new Declined()
        return found
      })
      const stored = refs.filter((ref) => !duplicates.includes(ref))
      this.ledger.committed(stored, duplicates)
      if (request.kind === 'sign_up') this.#signedUp.push(request.personId)
      return { stored: stored.length, declined: false }
    } catch (error) {
      if (!(error instanceof Declined)) throw error
      this.ledger.undone(refs)
      await this.#pool.query('INSERT INTO outbox_demo.rolled_back (ref, run) SELECT unnest($1::text[]), $2', [
        refs,
        run,
      ])
      return { stored: 0, declined: true }
    }
  }

  /** Commits what `work` does, or rolls it back if `work` throws. */
  async #inTransaction<T>(work: (tx: pg.PoolClient) => Promise<T>): Promise<T> {
    const tx = await this.#pool.connect()
    let broken: Error | undefined
    try {
      await tx.query('BEGIN')
      const result = await work(tx)
      await tx.query('COMMIT')
      return result
    } catch (error) {
      await tx.query('ROLLBACK').catch((lost: Error) => {
        broken = lost
      })
      throw error
    } finally {
      tx.release(broken) // a connection that cannot roll back is not used again
    }
  }
}
