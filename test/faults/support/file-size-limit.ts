import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { promisify } from 'node:util'
import { NOBODY } from '../../../src/testing/postgres/embedded-cluster.ts'
import type { TestDatabase } from '../../support/database.ts'
import type { PostgresServer } from './postgres-server.ts'

const PRLIMIT = ['/usr/bin/prlimit', '/bin/prlimit'].find((file) => existsSync(file))

/** Whether `limitFileSize` works here; one line says it where not. */
export async function canLimitFileSize(whatIsSkipped: string): Promise<boolean> {
  if (PRLIMIT) {
    try {
      await promisify(execFile)(PRLIMIT, ['--pid', String(process.pid), '--fsize'])
      return true
    } catch {} // the line below says it
  }
  console.warn(`prlimit (util-linux) is not here: ${whatIsSkipped} is skipped`)
  return false
}

/**
 * No file of the server grows past so many bytes: every write beyond fails in it, as on a full disk. For the sessions
 * that are open and for those to come; `unlimited` ends it. Files that are larger already stay as they are.
 */
export async function limitFileSize(
  server: PostgresServer,
  db: TestDatabase,
  bytes: number | 'unlimited',
): Promise<void> {
  const owner = process.getuid?.() === 0 ? NOBODY : {} // limits may be set by the user that the server runs as
  const sessions = await db.rows<{ pid: number }>('SELECT pid FROM pg_stat_activity')
  for (const pid of [server.pid, ...sessions.map((session) => session.pid)]) {
    const set = promisify(execFile)(PRLIMIT ?? '', ['--pid', String(pid), `--fsize=${bytes}:`], owner)
    await set.catch((error: Error) => {
      if (!/No such process/.test(error.message)) throw error // it has ended meanwhile
    })
  }
}
