import { copyFile, mkdir, readdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import pg from 'pg'

/** Folders whose contents belong to the running server. In a backup they must be empty. */
const EMPTY = [
  'pg_wal',
  'pg_replslot',
  'pg_dynshmem',
  'pg_notify',
  'pg_serial',
  'pg_snapshots',
  'pg_stat_tmp',
  'pg_subtrans',
]
const LEFT_OUT = ['postmaster.pid', 'postmaster.opts', 'pgsql_tmp', 'standby.signal', 'backup_label']

/**
 * Takes a base backup of a running server with the low-level API of PostgreSQL 15 and later, into an empty folder. The
 * server must keep the WAL of the time of the copy (`wal_keep_size`).
 */
export async function copyCluster(
  source: { readonly url: string; readonly data: string },
  to: string,
): Promise<void> {
  const client = new pg.Client({ connectionString: source.url })
  await client.connect()
  try {
    await client.query("SELECT pg_backup_start('replica', fast => true)")
    await copyFolder(source.data, to)
    const { rows } = await client.query('SELECT labelfile FROM pg_backup_stop(wait_for_archive => false)')
    await writeFile(path.join(to, 'backup_label'), rows[0].labelfile)
  } finally {
    await client.end()
  }
}

/** Copies a folder. Skips files that are deleted meanwhile: the replay of the WAL would delete them as well. */
async function copyFolder(from: string, to: string): Promise<void> {
  for (const entry of await readdir(from, { withFileTypes: true })) {
    if (LEFT_OUT.includes(entry.name)) continue
    const [source, target] = [path.join(from, entry.name), path.join(to, entry.name)]
    if (!entry.isDirectory()) await copyFile(source, target).catch(unlessGone)
    else {
      await mkdir(target, { mode: 0o700 })
      if (!EMPTY.includes(entry.name)) await copyFolder(source, target).catch(unlessGone)
    }
  }
}

function unlessGone(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOENT') throw error
}
