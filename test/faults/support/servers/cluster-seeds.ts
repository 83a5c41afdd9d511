import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises'
import path from 'node:path'
import { promisify } from 'node:util'

/** Folder of the seeds of this test run. The global setup makes and removes it. */
export const SEEDS_VARIABLE = 'OUTBOX_TEST_CLUSTER_SEEDS'

/**
 * A data directory as initdb left it, to be copied for other clusters with the same version and arguments of initdb. A copy
 * takes a tenth of the CPU time of initdb. All copies have one system identifier.
 */
export interface ClusterSeed {
  /** Fills an empty data directory with the copy. Undefined if no data directory is stored yet. */
  readonly fill: ((data: string) => Promise<void>) | undefined
  /** Stores a data directory on which no server has run. Does nothing if another process has stored one meanwhile. */
  keep(data: string): Promise<void>
}

/**
 * @param shape What initdb depends on: the version and the arguments.
 * @returns Undefined outside of a test run.
 */
export function clusterSeed(...shape: readonly string[]): ClusterSeed | undefined {
  const folder = process.env[SEEDS_VARIABLE]
  if (!folder) return undefined
  const key = createHash('sha256').update(JSON.stringify(shape)).digest('hex').slice(0, 16)
  const seed = path.join(folder, key)
  return {
    fill: existsSync(seed) ? (data) => copyFolder(seed, data) : undefined,
    async keep(data) {
      const draft = await mkdtemp(path.join(folder, 'draft-'))
      await mkdir(path.join(draft, 'data'))
      await copyFolder(data, path.join(draft, 'data'))
      await rename(path.join(draft, 'data'), seed).catch(() => {}) // another process was faster
      await rm(draft, { recursive: true, force: true })
    },
  }
}

/** Copies with cp, which clones files if the file system can. */
async function copyFolder(from: string, to: string): Promise<void> {
  await promisify(execFile)('cp', ['-Rp', `${from}/.`, to])
}
