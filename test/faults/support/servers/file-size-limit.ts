import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { promisify } from 'node:util'
import { NOBODY } from '../../../../src/testing/postgres/embedded-cluster.ts'
import type { TestDatabase } from '../../../support/database.ts'
import type { PostgresServer } from './postgres-server.ts'

const PRLIMIT = ['/usr/bin/prlimit', '/bin/prlimit'].find((file) => existsSync(file))

/** Whether `limitFileSize` works on this machine. If not, prints one line that names the skipped test. */
export async function canLimitFileSize(whatIsSkipped: string): Promise<boolean> {
  if (PRLIMIT) {
    try {
      await promisify(execFile)(PRLIMIT, ['--pid', String(process.pid), '--fsize'])
      return true
    } catch {} // the line below reports it
  }
  console.warn(`prlimit (util-linux) is not installed, skipping ${whatIsSkipped}`)
  return false
}

/**
 * Limits the size of every file of the server: a write beyond the limit fails, as on a full disk. Applies to open and future
 * sessions. `unlimited` removes the limit. Files that are already larger stay unchanged.
 */
export async function limitFileSize(
  server: PostgresServer,
  db: TestDatabase,
  bytes: number | 'unlimited',
): Promise<void> {
  const owner = process.getuid?.() === 0 ? NOBODY : {} // only the user of the server's processes may set their limits
  const sessions = await db.rows<{ pid: number }>('SELECT pid FROM pg_stat_activity')
  for (const pid of [server.pid, ...sessions.map((session) => session.pid)]) {
    const set = promisify(execFile)(PRLIMIT ?? '', ['--pid', String(pid), `--fsize=${bytes}:`], owner)
    await set.catch((error: Error) => {
      if (!/No such process/.test(error.message)) throw error // the process has exited meanwhile
    })
  }
}
