import { sql } from 'drizzle-orm'
import { drizzle, type NodePgDatabase } from 'drizzle-orm/node-postgres'
import pg from 'pg'
import { createOutbox, type Outbox } from '../../enqueue/outbox.ts'
import type { Intent } from '../../intent/intent.ts'
import { Ledger } from './ledger.ts'
import { Pace } from './pace.ts'
import { expected, orders, people, rolledBack } from './shop-schema.ts'

/** Requests that the shop works on at a time. */
const WRITERS = 8
/** The rest are orders. */
const SHARE = { view: 0.2, signUp: 0.2 }
/** Of five transactions, one is rolled back. */
const ROLLED_BACK = 0.2
/** Of a hundred orders, this many come again: the client saw no answer and sent its request once more. */
const RETRIED = 0.06
/** One order in so many, by the number of intents, carries a note that the fake Customer.io refuses. */
const REFUSED_ONE_IN = (intents: number) => Math.max(40, Math.floor(intents / 20))
export const REFUSED_NOTE = 'too long for Customer.io'

export interface ShopOptions {
  readonly connectionString: string
  readonly schema: string | undefined
  /** Begins every id of this run. */
  readonly run: string
  readonly intents: number
  readonly durationMs: number
  readonly signal: AbortSignal
}

type Tx = Parameters<Parameters<NodePgDatabase['transaction']>[0]>[0]
type Request =
  | { readonly kind: 'sign_up'; readonly personId: string }
  | { readonly kind: 'order'; readonly personId: string; readonly orderId: string; readonly note: string }
  | { readonly kind: 'view'; readonly personId: string }

interface Handled {
  /** Intents that are committed by it. */
  readonly stored: number
  readonly declined: boolean
}

/** Thrown inside a transaction: the card was declined, Drizzle rolls back. */
class Declined extends Error {}

/** A shop like many: each request is one transaction, with its business rows and its intents. */
export class Shop {
  readonly ledger = new Ledger()
  readonly #options: ShopOptions
  readonly #pool: pg.Pool
  readonly #db: NodePgDatabase
  readonly #outbox: Outbox
  #pace: Pace
  readonly #people: string[] = []
  #lastRef = 0
  #lastPerson = 0
  #lastOrder = 0

  constructor(options: ShopOptions) {
    this.#options = options
    this.#pool = new pg.Pool({
      connectionString: options.connectionString,
      max: WRITERS + 2,
      application_name: 'customerio-outbox demo shop',
    })
    this.#pool.on('error', () => {}) // a statement that needs the connection says it
    this.#db = drizzle(this.#pool)
    this.#outbox = createOutbox({ schema: options.schema })
    this.#pace = new Pace(options.intents, options.durationMs)
  }

  /** Intents committed so far. */
  get committed(): number {
    return this.ledger.committedAt.size
  }

  /** Resolves when every intent is committed. */
  async open(): Promise<void> {
    this.#pace = new Pace(this.#options.intents, this.#options.durationMs)
    await Promise.all(Array.from({ length: WRITERS }, () => this.#serve()))
  }

  close(): Promise<void> {
    return this.#pool.end()
  }

  async #serve(): Promise<void> {
    for (;;) {
      const places = await this.#pace.next(this.#options.signal)
      if (places === 0) return
      const request = this.#nextRequest(places)
      const { stored, declined } = await this.#handle(request)
      this.#pace.done(places, stored)
      // The client of a declined order tries another card; that of an order that went through may come again.
      if (request.kind !== 'order') continue
      if (declined) await this.#tryAnotherCard(request)
      else if (Math.random() < RETRIED) await this.#handle(request, 'repeat')
    }
  }

  /** The same order with the same dedup keys: the declined one has left none behind. */
  async #tryAnotherCard(request: Request): Promise<void> {
    const places = this.#pace.take(2)
    const { stored } = places === 2 ? await this.#handle(request) : { stored: 0 }
    this.#pace.done(places, stored)
  }

  /** Requests of one intent or of two, as there is room. */
  #nextRequest(places: number): Request {
    const { run, intents } = this.#options
    const known = this.#people[Math.floor(Math.random() * this.#people.length)]
    if (places === 1 && known !== undefined) return { kind: 'view', personId: known }
    if (known === undefined || Math.random() < 0.2) {
      return { kind: 'sign_up', personId: `${run}-person-${++this.#lastPerson}` }
    }
    const number = ++this.#lastOrder
    const every = Math.max(REFUSED_OF.atLeast, Math.floor(intents * REFUSED_OF.share))
    const note = number % every === every / 2 - ((every / 2) % 1) ? REFUSED_NOTE : ''
    return { kind: 'order', personId: known, orderId: `${run}-order-${number}`, note }
  }

  /** One transaction. A request that comes again after it went through is never declined: it changes nothing. */
  async #handle(request: Request, isRepeat = false): Promise<{ stored: number; declined: boolean }> {
    const declined = !isRepeat && Math.random() < ROLLED_BACK
    const refs = Array.from(
      { length: request.kind === 'view' ? 1 : 2 },
      () => `${this.#options.run}-${++this.#lastRef}`,
    )
    try {
      const duplicates = await this.#db.transaction(async (tx) => {
        const position = await this.#write(tx, request, refs.length)
        const found = await this.#enqueue(tx, request, refs, position)
        if (declined) throw new Declined()
        return found
      })
      const stored = refs.filter((ref) => !duplicates.includes(ref))
      this.ledger.committed(stored, duplicates)
      if (request.kind === 'sign_up') this.#people.push(request.personId)
      return { stored: stored.length, declined }
    } catch (error) {
      if (!(error instanceof Declined)) throw error
      this.ledger.undone(refs)
      await this.#db.insert(rolledBack).values(refs.map((ref) => ({ ref, run: this.#options.run })))
      return { stored: 0, declined }
    }
  }

  #newRefs(length: number): string[] {
    return Array.from({ length }, () => `${this.#options.run}-${++this.#lastRef}`)
  }

  /** The business rows. Returns the place of the last intent among the person's: they are locked until COMMIT. */
  async #write(tx: Tx, request: Request, places: number): Promise<number> {
    const { personId } = request
    if (request.kind === 'sign_up') {
      await tx.insert(people).values({ id: personId, email: `${personId}@example.com`, version: places })
      return places
    }
    const [person] = await tx
      .update(people)
      .set({
        version: sql`${people.version} + ${places}`,
        orders: sql`${people.orders} + ${isOrder ? 1 : 0}`,
      })
      .where(sql`${people.id} = ${personId}`)
      .returning({ version: people.version })
    if (!person) throw new Error(`the shop has lost ${personId}`)
    if (request.kind === 'order') {
      const order = { id: request.orderId, personId, totalCents: 500 + Math.floor(Math.random() * 20_000) }
      await tx.insert(orders).values(order).onConflictDoNothing()
    }
    return person.version
  }

  /** The intents, in the same transaction, and what the final check shall expect. Returns the refs of duplicates. */
  async #enqueue(tx: Tx, request: Request, refs: readonly string[], position: number): Promise<string[]> {
    const rows = refs.map((ref, index) => ({ ref, position: position - refs.length + 1 + index }))
    const intents = rows.map((row, index) => intentOf(request, row, index))
    const keys =
      request.kind === 'order' ? [`${request.orderId}:placed`, `${request.orderId}:profile`] : undefined
    const results = await this.#outbox.enqueue(
      tx,
      intents,
      keys ? { dedupKey: (_, index) => keys[index] ?? request.personId } : {},
    )
    const kept = rows.flatMap((row, index) =>
      results[index]?.duplicate === false
        ? [
            {
              ...row,
              run: this.#options.run,
              personId: request.personId,
              isEvent: intents[index]?.operation !== 'identify',
            },
          ]
        : [],
    )
    if (kept.length > 0) await tx.insert(expected).values(kept)
    return refs.filter((_, index) => results[index]?.duplicate === true)
  }
}

function intentOf(request: Request, data: { ref: string; position: number }, index: number): Intent {
  const { personId } = request
  if (request.kind === 'view')
    return { operation: 'track', customerId: personId, name: 'product_viewed', data }
  if (request.kind === 'sign_up') {
    return index === 0
      ? {
          operation: 'identify',
          customerId: personId,
          attributes: { ...data, email: `${personId}@example.com` },
        }
      : { operation: 'track', customerId: personId, name: 'signed_up', data }
  }
  return index === 0
    ? {
        operation: 'track',
        customerId: personId,
        name: 'order_placed',
        data: { ...data, note: request.note },
      }
    : { operation: 'identify', customerId: personId, attributes: { ...data, last_order: request.orderId } }
}
