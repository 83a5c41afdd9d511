import { type Postgres, withClient } from '../machine/postgres.ts'
import type { PostgresPeer } from './peer.ts'

/** Databases that are filled once and copied for each run, so every run of a peer starts with identical pages. */
export class Backlogs {
  readonly #postgres: Postgres
  readonly #templates = new Map<string, Promise<string>>()

  constructor(postgres: Postgres) {
    this.#postgres = postgres
  }

  async copy(peer: PostgresPeer, count: number): Promise<string> {
    const key = `${peer.id} ${count}`
    const template = this.#templates.get(key) ?? this.#fill(peer, count)
    this.#templates.set(key, template)
    return this.#postgres.create(await template)
  }

  async #fill(peer: PostgresPeer, count: number): Promise<string> {
    const url = await this.#postgres.create()
    await peer.install(url)
    await withClient(url, async (client) => {
      await peer.fill(client, count)
      await client.query('VACUUM (ANALYZE)')
    })
    return url
  }
}
