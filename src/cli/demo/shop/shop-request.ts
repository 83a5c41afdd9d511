import type pg from 'pg'
import type { Outbox } from '../../../enqueue/outbox.ts'
import type { EnqueueResult } from '../../../enqueue/results.ts'
import type { Intent } from '../../../intent/intent.ts'

/** A request to the shop: one transaction. */
export type Request =
  | { readonly kind: 'sign_up'; readonly personId: string }
  | { readonly kind: 'order'; readonly personId: string; readonly orderId: string; readonly note: string }
  | { readonly kind: 'view'; readonly personId: string }

/** How many intents a request enqueues. */
export function intentsOf(request: Request): 1 | 2 {
  return request.kind === 'view' ? 1 : 2
}

/**
 * Writes the business rows and enqueues the intents, in the caller's transaction, as an app does. It also writes the
 * rows that the final check expects deliveries for.
 *
 * @param refs One ref per intent. By the ref, the check recognises the intent's delivery.
 * @returns The refs whose dedup key was taken: their intents were not stored.
 */
export async function handleRequest(
  tx: pg.PoolClient,
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
    await tx.query(
      `INSERT INTO outbox_demo.expected (ref, run, person_id, position, is_event)
       SELECT ref, $1, $2, position, is_event
       FROM jsonb_to_recordset($3) AS mark (ref text, position integer, is_event boolean)`,
      [run, request.personId, JSON.stringify(stored.map((mark) => ({ ...mark, is_event: isEvent(mark) })))],
    )
  }
  return refs.filter((_, index) => results[index]?.duplicate === true)
}

/** Returns the position of the person's last intent. The person's row stays locked until COMMIT, which fixes the order. */
async function writeBusinessRows(tx: pg.PoolClient, request: Request, places: number): Promise<number> {
  const { personId } = request
  if (request.kind === 'sign_up') {
    await tx.query('INSERT INTO outbox_demo.people (id, email, version) VALUES ($1, $2, $3)', [
      personId,
      emailOf(personId),
      places,
    ])
    return places
  }
  const { rows } = await tx.query<{ version: number }>(
    'UPDATE outbox_demo.people SET version = version + $2 WHERE id = $1 RETURNING version',
    [personId, places],
  )
  const [person] = rows
  if (!person) throw new Error(`person ${personId} is not in the shop's table`)
  if (request.kind === 'order') {
    const totalCents = 500 + Math.floor(Math.random() * 20_000)
    await tx.query(
      'INSERT INTO outbox_demo.orders (id, person_id, total_cents) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING',
      [request.orderId, personId, totalCents],
    )
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
