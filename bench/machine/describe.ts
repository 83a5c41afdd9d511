import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import os from 'node:os'
import { VERSION } from '../../src/version.ts'
import type { Postgres } from './postgres.ts'
import type { Redis } from './redis.ts'

/** The machine, versions and settings of a measurement. */
export interface Description {
  readonly at: string
  readonly machine: {
    readonly cpus: number
    readonly cpu: string
    readonly memoryGb: number
    readonly os: string
  }
  readonly load: readonly number[]
  readonly versions: Readonly<Record<string, string>>
  readonly postgres: Readonly<Record<string, string>>
  readonly redis: Readonly<Record<string, string>> | undefined
}

export function describe(postgres: Postgres, redis: Redis | undefined): Description {
  return {
    at: new Date().toISOString(),
    machine: {
      cpus: os.availableParallelism(),
      cpu: os.cpus()[0]?.model ?? '',
      memoryGb: Math.round(os.totalmem() / 2 ** 30),
      os: `${os.type()} ${os.release()} ${os.arch()}`,
    },
    load: os.loadavg(),
    versions: {
      'customerio-outbox': VERSION,
      node: process.versions.node,
      postgres: postgres.source,
      redis: redis?.version ?? 'not installed',
      ...packageVersions(['customerio-node', 'pg-boss', 'graphile-worker', 'bullmq', 'pg']),
    },
    postgres: postgres.settings,
    redis: redis?.settings,
  }
}

function packageVersions(names: readonly string[]): Record<string, string> {
  const { resolve } = createRequire(import.meta.url)
  return Object.fromEntries(names.map((name) => [name, versionAt(name, resolve.paths(name) ?? [])]))
}

function versionAt(name: string, folders: readonly string[]): string {
  for (const folder of folders) {
    try {
      return JSON.parse(readFileSync(`${folder}/${name}/package.json`, 'utf8')).version
    } catch {
      // The package is not in this folder.
    }
  }
  return 'not installed'
}
