import type { StoredOrder } from './database.ts'

const USERS = ['ana', 'bo', 'cleo']

/** Places orders at an example's HTTP server, and records what it answered. */
export class Customers {
  /** The orders that the app answered with 201, each user's in the order of their requests. */
  readonly placed: StoredOrder[] = []
  /** Ids of the orders that the app rolled back. */
  readonly rolledBack: string[] = []
  readonly #url: string
  #last = 0

  constructor(port: number) {
    this.#url = `http://localhost:${port}/orders`
  }

  /**
   * Every user places three orders, one after the other; the users do so at the same time. Each user also places an order
   * that fails, and repeats the request of the first one.
   */
  async placeOrders(): Promise<void> {
    await Promise.all(
      USERS.map(async (userId) => {
        const first = await this.#place(userId)
        await this.#fail(userId)
        await this.#place(userId)
        await this.#repeat(first)
        await this.#place(userId)
      }),
    )
  }

  async #place(userId: string): Promise<StoredOrder> {
    const order = this.#next(userId)
    const answer = await this.#post(order)
    if (answer.status !== 201) throw new Error(`Expected 201 for order ${order.id}, got ${describe(answer)}`)
    this.placed.push(order)
    return order
  }

  async #fail(userId: string): Promise<void> {
    const order = this.#next(userId)
    this.rolledBack.push(order.id)
    const answer = await this.#post({ ...order, fail: true })
    if (answer.status < 400)
      throw new Error(`Expected an error for order ${order.id}, got ${describe(answer)}`)
  }

  async #repeat(order: StoredOrder): Promise<void> {
    const answer = await this.#post(order)
    if (answer.status !== 201 || JSON.parse(answer.body).duplicate !== true) {
      throw new Error(
        `Expected 201 and duplicate: true for the second request of order ${order.id}, got ${describe(answer)}`,
      )
    }
  }

  #next(userId: string): StoredOrder {
    this.#last++
    return { id: `order-${this.#last}`, userId, total: 10 + this.#last }
  }

  async #post(order: object): Promise<Answer> {
    const response = await fetch(this.#url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(order),
      signal: AbortSignal.timeout(30_000),
    })
    return { status: response.status, body: await response.text() }
  }
}

interface Answer {
  readonly status: number
  readonly body: string
}

const describe = ({ status, body }: Answer) => `${status} ${body.slice(0, 200)}`
