import type { Api } from '../api/api.ts'
import type { Postgres } from '../machine/postgres.ts'
import type { Redis } from '../machine/redis.ts'
import type { Backlogs } from '../peers/backlogs.ts'
import type { Settings } from '../settings.ts'

/** The servers and settings that every measure uses. */
export interface Bench {
  readonly settings: Settings
  readonly postgres: Postgres
  /** Undefined if `redis-server` is not installed. */
  readonly redis: Redis | undefined
  readonly api: Api
  readonly backlogs: Backlogs
  /** Prints one line of progress on stderr. */
  readonly log: (line: string) => void
}
