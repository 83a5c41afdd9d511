import { existsSync } from 'node:fs'
import { chmod, mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'

const PLACES = [
  ...['x86_64', 'aarch64'].map((machine) => `/usr/lib/${machine}-linux-gnu/faketime/libfaketime.so.1`),
  '/usr/lib/faketime/libfaketime.so.1',
  '/usr/lib64/faketime/libfaketime.so.1',
]

/** The wall clock that a server's processes see. */
export interface ServerClock {
  /** Variables for the server's processes. */
  readonly environment: Readonly<Record<string, string>>
  /** Sets the clock this many seconds ahead of the machine's, or behind it. Takes effect at once. */
  set(offsetSeconds: number): Promise<void>
  close(): Promise<void>
}

/** The path of libfaketime, or undefined with one line that says what is left out. */
export function findFaketime(whatIsSkipped: string): string | undefined {
  const found = PLACES.find((file) => existsSync(file))
  if (!found) {
    console.warn(`libfaketime is not installed: ${whatIsSkipped} is skipped (apt-get install libfaketime)`)
  }
  return found
}

/**
 * A clock for `startPostgresServer`, by libfaketime. It changes the time of day alone: what a process waits for by the
 * monotonic clock takes as long as it takes.
 *
 * @param library What `findFaketime` found.
 */
export async function createServerClock(library: string): Promise<ServerClock> {
  const home = await mkdtemp(path.join(tmpdir(), 'customerio-outbox-clock-'))
  await chmod(home, 0o755) // the server runs as another user where the tests run as root
  const file = path.join(home, 'offset')
  const set = async (offsetSeconds: number) => {
    // By rename: a server process that reads the file must not find it empty.
    await writeFile(`${file}.next`, `${offsetSeconds < 0 ? '-' : '+'}${Math.abs(offsetSeconds)}\n`, {
      mode: 0o644,
    })
    await rename(`${file}.next`, file)
  }
  await set(0)
  return {
    environment: {
      LD_PRELOAD: library,
      FAKETIME_TIMESTAMP_FILE: file,
      FAKETIME_NO_CACHE: '1', // otherwise each process goes on with the old offset for 10 s
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
    },
    set,
    close: () => rm(home, { recursive: true, force: true }),
  }
}
