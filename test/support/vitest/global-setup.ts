import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import pg from 'pg'
import type { TestProject } from 'vitest/node'
import { installLibraries } from '../../../scripts/install-libraries.ts'
import { migrate } from '../../../src/store/migrate/migrate.ts'
import { SEEDS_VARIABLE } from '../../faults/support/servers/cluster-seeds.ts'
import { startRealPostgres } from '../../../src/testing/postgres/real-postgres.ts'

declare module 'vitest' {
  export interface ProvidedContext {
    /** URL of the server's maintenance database. */
    serverUrl: string
    /** Name of the migrated database that test files clone. */
    templateDatabase: string
  }
}

/** Starts one server for the run, with one migrated template that every test file clones. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  installLibraries()
  const server = await startRealPostgres({ volatile: true })
  console.log(`tests run on ${server.source}`)
  const template = `outbox_template_${randomBytes(4).toString('hex')}`
  await onServer(server.url, `CREATE DATABASE "${template}"`)
  await migrate({ connectionString: databaseUrl(server.url, template) })
  project.provide('serverUrl', server.url)
  project.provide('templateDatabase', template)
  const seeds = await mkdtemp(path.join(tmpdir(), 'customerio-outbox-seeds-'))
  process.env[SEEDS_VARIABLE] = seeds
  return async () => {
    await rm(seeds, { recursive: true, force: true })
    await onServer(server.url, `DROP DATABASE IF EXISTS "${template}"`)
    await server.stop()
  }
}

async function onServer(url: string, sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  await client.query(sql)
  await client.end()
}

function databaseUrl(serverUrl: string, database: string): string {
  const url = new URL(serverUrl)
  url.pathname = `/${database}`
  return url.toString()
}
