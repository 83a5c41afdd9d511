import { existsSync } from 'node:fs'
import { chmod, mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'

const PLACES = [
  ...['x86_64', 'aarch64'].map((machine) => `/usr/lib/${machine}-linux-gnu/faketime/libfaketime.so.1`),
  '/usr/lib/faketime/libfaketime.so.1',
  '/usr/lib64/faketime/libfaketime.so.1',
]

/** The wall clock of a server's processes. */
export interface ServerClock {
  /** Environment variables of the server's processes. */
  readonly environment: Readonly<Record<string, string>>
  /** Sets the clock this many seconds ahead of the machine's. Negative: behind it. Takes effect at once. */
  set(offsetSeconds: number): Promise<void>
  close(): Promise<void>
}

/** Returns the path of libfaketime. If it is not installed, prints one line that names the skipped tests. */
export function findFaketime(whatIsSkipped: string): string | undefined {
  const found = PLACES.find((file) => existsSync(file))
  if (!found) {
    console.warn(`libfaketime is not installed: ${whatIsSkipped} is skipped (apt-get install libfaketime)`)
  }
  return found
}

/**
 * Creates a clock for `startPostgresServer`, with libfaketime. It changes only the time of day, not the monotonic clock,
 * so it does not change the length of waits.
 *
 * @param library The path from `findFaketime`.
 */
export async function createServerClock(library: string): Promise<ServerClock> {
  const home = await mkdtemp(path.join(tmpdir(), 'customerio-outbox-clock-'))
  await chmod(home, 0o755) // if the tests run as root, the server runs as another user
  const file = path.join(home, 'offset')
  const set = async (offsetSeconds: number) => {
    // Renamed into place, so that no server process reads an empty file.
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
      FAKETIME_NO_CACHE: '1', // otherwise each process keeps the old offset for up to 10 s
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
    },
    set,
    close: () => rm(home, { recursive: true, force: true }),
  }
}
