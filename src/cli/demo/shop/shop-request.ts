import { sql } from 'drizzle-orm'
import type { NodePgDatabase } from 'drizzle-orm/node-postgres'
import type { Outbox } from '../../../enqueue/outbox.ts'
import type { EnqueueResult } from '../../../enqueue/results.ts'
import type { Intent } from '../../../intent/intent.ts'
import { expected, orders, people } from './shop-schema.ts'

/** A request to the shop: one transaction. */
export type Request =
  | { readonly kind: 'sign_up'; readonly personId: string }
  | { readonly kind: 'order'; readonly personId: string; readonly orderId: string; readonly note: string }
  | { readonly kind: 'view'; readonly personId: string }

export type Tx = Parameters<Parameters<NodePgDatabase['transaction']>[0]>[0]

/** How many intents a request enqueues. */
export function intentsOf(request: Request): 1 | 2 {
  return request.kind === 'view' ? 1 : 2
}

/**
 * Writes the business rows and enqueues the intents, in the caller's transaction, as an app does. It also writes the
 * rows that the final check expects deliveries for.
 *
 * @param refs One per intent, by which the check recognises its delivery.
 * @returns The refs whose dedup key was taken: their intents were not stored.
 */
export async function handleRequest(
  tx: Tx,
  outbox: Outbox,
  run: string,
  request: Request,
  refs: readonly string[],
): Promise<string[]> {
  const last = await writeBusinessRows(tx, request, refs.length)
  const marks = refs.map((ref, index) => ({ ref, position: last - refs.length + 1 + index }))
  const intents = marks.map((mark, index) => intentOf(request, mark, index))
  const results: EnqueueResult[] =
    request.kind === 'order'
      ? await outbox.enqueue(tx, intents, { dedupKey: (_, index) => `${request.orderId}:${index}` })
      : await outbox.enqueue(tx, intents)
  const stored = marks.filter((_, index) => results[index]?.duplicate === false)
  if (stored.length > 0) {
    const isEvent = ({ position }: { position: number }) =>
      intents[position - last + refs.length - 1]?.operation === 'track'
    const rows = stored.map((mark) => ({ ...mark, run, personId: request.personId, isEvent: isEvent(mark) }))
    await tx.insert(expected).values(rows)
  }
  return refs.filter((_, index) => results[index]?.duplicate === true)
}

/** Returns the position of the person's last intent. The person's row stays locked until COMMIT, which fixes the order. */
async function writeBusinessRows(tx: Tx, request: Request, places: number): Promise<number> {
  const { personId } = request
  if (request.kind === 'sign_up') {
    await tx.insert(people).values({ id: personId, email: emailOf(personId), version: places })
    return places
  }
  const [person] = await tx
    .update(people)
    .set({ version: sql`${people.version} + ${places}` })
    .where(sql`${people.id} = ${personId}`)
    .returning({ version: people.version })
  if (!person) throw new Error(`person ${personId} is not in the shop's table`)
  if (request.kind === 'order') {
    const totalCents = 500 + Math.floor(Math.random() * 20_000)
    await tx.insert(orders).values({ id: request.orderId, personId, totalCents }).onConflictDoNothing()
  }
  return person.version
}

function intentOf(request: Request, mark: { ref: string; position: number }, index: number): Intent {
  const { personId: customerId } = request
  switch (request.kind) {
    case 'view':
      return { operation: 'track', customerId, name: 'product_viewed', data: mark }
    case 'sign_up':
      return index === 0
        ? { operation: 'identify', customerId, attributes: { ...mark, email: emailOf(customerId) } }
        : { operation: 'track', customerId, name: 'signed_up', data: mark }
    case 'order':
      return index === 0
        ? { operation: 'track', customerId, name: 'order_placed', data: { ...mark, note: request.note } }
        : { operation: 'identify', customerId, attributes: { ...mark, last_order: request.orderId } }
  }
}

function emailOf(personId: string): string {
  return `${personId}@example.com`
}
