import type { WireText } from '../../intent/wire-text.ts'
import { ENCRYPTED_FORMAT, WIRE_FORMAT } from './row-format.ts'

/** A row of the queue as the relay works on it. */
export interface QueuedIntent {
  /** int8 as text. */
  readonly seq: string
  readonly id: string
  readonly orderingKey: string
  /** UTF-8 bytes of the payload's JSON as stored. */
  readonly size: number
  readonly onAmbiguous: 'park' | 'resend'
  /** Whether a request for the intent began and has no known outcome. Only for intents that must not be sent twice. */
  readonly sending: boolean
  /** Form of the payload. Above `ROW_FORMAT` this version cannot interpret the rest of the row. */
  readonly format: number
  /** How often the intent failed alone while others were delivered. */
  readonly attempts: number
  /** Milliseconds until the next attempt, by the database's clock. Null, 0 or less: now. */
  readonly retryInMs: number | null
  /**
   * Why it is too late to send it, by the database's clock. `expires_at`: that time has passed. `age`: it was enqueued,
   * or fell due if it was scheduled, longer ago than the workspace's maximum age.
   */
  readonly expired: 'expires_at' | 'age' | null
  /**
   * The column whose time is infinite, if there is one. The row becomes a dead letter. No statement may subtract an infinite
   * time: before PostgreSQL 17 that is an error.
   */
  readonly infinite?: 'enqueued_at' | 'retry_at' | null | undefined
  readonly content: Content
}

/** What the row's format says that its payload is. */
export type Content =
  | {
      readonly form: 'payload'
      readonly operation: string
      /** JSON text. The relay parses it just before the request, so a waiting row takes little memory. */
      readonly payload: string
      /** Unix seconds of the app's write, with a fraction, by the database's clock. */
      readonly enqueuedAt: number
    }
  /** Neighbouring rows share a buffer, with a comma between each two. */
  | { readonly form: 'wire'; readonly text: WireText }
  /** An encrypted payload as it was read: JSON text of an envelope. The relay opens it, and gets one of the other forms. */
  | {
      readonly form: 'sealed'
      readonly operation: string
      readonly envelope: string
      readonly enqueuedAt: number
    }
  /** The relay lacks the key of this id. The intent waits. */
  | { readonly form: 'locked'; readonly key: string }
  /** No key opens it: it was changed or moved, or it is no envelope. */
  | { readonly form: 'refused' }

/** What the server tells of a row that differs from `ORDINARY` in any field. */
interface Special
  extends Pick<
    QueuedIntent,
    'seq' | 'format' | 'attempts' | 'retryInMs' | 'sending' | 'onAmbiguous' | 'expired' | 'infinite'
  > {
  readonly operation: string
  /** Null if it is infinite. */
  readonly enqueuedAt: number | null
}

/** Nearly every row: wire text that was not tried before and may be sent now. */
const ORDINARY: Omit<Special, 'seq' | 'operation' | 'enqueuedAt'> = {
  format: WIRE_FORMAT,
  attempts: 0,
  retryInMs: null,
  sending: false,
  onAmbiguous: 'park',
  expired: null,
  infinite: null,
}

/** Neighbouring rows. Each text has a value for every row, with commas between them. */
export type ChunkColumns = [
  seqs: string,
  ids: string,
  sizes: string,
  orderingKeys: string,
  payloads: string,
  specials: readonly Special[] | null,
]

/** The rows of a chunk, in its order. They keep its payloads as one buffer. */
export function rowsOf([seqs, ids, sizes, orderingKeys, payloads, specials]: ChunkColumns): QueuedIntent[] {
  const buffer = Buffer.from(payloads)
  const id = ids.split(',')
  const size = sizes.split(',')
  const orderingKey = JSON.parse(`[${orderingKeys}]`) as string[]
  const special = new Map(specials?.map((one) => [one.seq, one]))
  let start = 0
  return seqs.split(',').map((seq, n) => {
    const end = start + Number(size[n])
    const row = new ChunkRow(seq, id[n] ?? '', orderingKey[n] ?? '', { buffer, start, end }, special.get(seq))
    start = end + 1
    return row
  })
}

/** A class with getters: an object with all these fields for each row was a tenth of a draining relay's garbage. */
class ChunkRow implements QueuedIntent {
  readonly seq: string
  readonly id: string
  readonly orderingKey: string
  readonly #text: WireText
  readonly #special: Special | undefined

  constructor(seq: string, id: string, orderingKey: string, text: WireText, special: Special | undefined) {
    this.seq = seq
    this.id = id
    this.orderingKey = orderingKey
    this.#text = text
    this.#special = special
  }

  get size(): number {
    return this.#text.end - this.#text.start
  }

  get onAmbiguous() {
    return (this.#special ?? ORDINARY).onAmbiguous
  }

  get sending() {
    return (this.#special ?? ORDINARY).sending
  }

  get format() {
    return (this.#special ?? ORDINARY).format
  }

  get attempts() {
    return (this.#special ?? ORDINARY).attempts
  }

  get retryInMs() {
    return (this.#special ?? ORDINARY).retryInMs
  }

  get expired() {
    return (this.#special ?? ORDINARY).expired
  }

  get infinite() {
    return (this.#special ?? ORDINARY).infinite
  }

  get content(): Content {
    const special = this.#special
    if (special === undefined || special.format === WIRE_FORMAT) return { form: 'wire', text: this.#text }
    const { buffer, start, end } = this.#text
    const payload = buffer.toString('utf8', start, end)
    const columns = { operation: special.operation, enqueuedAt: special.enqueuedAt ?? 0 }
    return special.format === ENCRYPTED_FORMAT
      ? { form: 'sealed', envelope: payload, ...columns }
      : { form: 'payload', payload, ...columns }
  }
}
