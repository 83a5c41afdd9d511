import type { Api } from '../api/api.ts'
import type { Postgres } from '../machine/postgres.ts'
import type { Redis } from '../machine/redis.ts'
import type { Backlogs } from '../peers/backlogs.ts'
import type { Settings } from '../settings.ts'

/** What every measure works with. */
export interface Bench {
  readonly settings: Settings
  readonly postgres: Postgres
  /** Undefined where `redis-server` is not installed. */
  readonly redis: Redis | undefined
  readonly api: Api
  readonly backlogs: Backlogs
  /** One line of progress. */
  readonly say: (line: string) => void
}
