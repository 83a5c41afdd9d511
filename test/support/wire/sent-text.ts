import type { Transport } from '../../../src/customerio/transports/transport.ts'
import type { KeyRing } from '../../../src/encryption/key-ring.ts'
import { KeyFinder } from '../../../src/relay/payloads/key-finder.ts'
import { openRows } from '../../../src/relay/payloads/open-rows.ts'
import { prepareRow } from '../../../src/relay/destination/prepare-row.ts'
import { type Database, openDatabase } from '../../../src/store/connection/database.ts'
import type { QueuedIntent } from '../../../src/store/lanes/queued-intent.ts'
import { readLane, ZERO_WATERMARK } from '../../../src/store/lanes/read-lane.ts'
import type { TestDatabase } from '../database.ts'
import { type CaptureServer, startCaptureServer } from './capture-server.ts'
import type { Golden } from './goldens.ts'
import { createTransport } from './transports.ts'

/** Sends stored rows as the relay does, one request each, and tells what arrived. */
export class Sender {
  readonly #db: Database
  readonly #server: CaptureServer
  readonly #keys: KeyFinder
  readonly #transports = new Map<string, Transport>()

  private constructor(db: Database, server: CaptureServer, keys: KeyFinder) {
    this.#db = db
    this.#server = server
    this.#keys = keys
  }

  /** @param ring Opens encrypted rows. */
  static async start({ url }: TestDatabase, ring?: KeyRing): Promise<Sender> {
    const onError = (error: Error) => {
      throw error
    }
    const keys = new KeyFinder({ source: ring && { ring }, timeoutMs: 1_000, onError })
    return new Sender(openDatabase({ connectionString: url }), await startCaptureServer(), keys)
  }

  /** The body of each intent. Ids and times of the database are replaced by their names, because they differ. */
  async bodies(
    ids: readonly string[],
    allows?: (operation: string, payload: unknown) => boolean,
  ): Promise<string[]> {
    const rows = await this.#rows(ids)
    const texts: string[] = []
    for (const id of ids) {
      const found = rows.get(id)
      if (!found) throw new Error(`no row of the queue has the id ${id}`)
      const prepared = prepareRow(found.transport, { allows }, found.row)
      if (prepared === 'suppressed' || 'dead' in prepared) throw new Error(JSON.stringify(prepared))
      await found.transport.send([prepared.send])
      texts.push(this.#server.take()[0]?.text ?? '')
    }
    return texts.map(withoutIds)
  }

  async #rows(ids: readonly string[]) {
    const lanes = await this.#db.query<{ destination: string; lane: number }>(
      'SELECT DISTINCT destination, lane FROM outbox.intents WHERE id = ANY ($1::uuid[])',
      [ids],
    )
    const rows = new Map<string, { readonly row: QueuedIntent; readonly transport: Transport }>()
    for (const lane of lanes) {
      const range = { from: ZERO_WATERMARK, except: [], exceptKeys: [], limit: 10_000, bytes: 1e8 }
      const transport = this.#transport(lane.destination)
      const read = (await readLane(this.#db, lane, range)).rows
      for (const row of await openRows(this.#keys, lane.destination, read))
        rows.set(row.id, { row, transport })
    }
    return rows
  }

  #transport(destination: string): Transport {
    const opened =
      this.#transports.get(destination) ??
      createTransport(destination.split('/')[1] as Golden['api'], this.#server.url)
    this.#transports.set(destination, opened)
    return opened
  }

  async close(): Promise<void> {
    await Promise.all([...this.#transports.values()].map((transport) => transport.close()))
    await this.#server.close()
    await this.#db.close()
  }
}

function withoutIds(text: string): string {
  return text
    .replace(/"id":"[0-9A-Z]{26}"/g, '"id":"ULID"')
    .replace(/"messageId":"[0-9a-f-]{36}"/g, '"messageId":"UUID"')
    .replace(/"timestamp":("20[^"]*Z"|1[0-9]{9})/g, '"timestamp":"NOW"')
}
