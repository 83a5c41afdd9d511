import { isBulk, type Lane } from '../../store/lanes/lane.ts'
import type { IdleFlag } from './idle-flag.ts'

/** While lanes are worked, breakers and delayed intents are looked at this often, and lanes where every commit notifies. */
export const LOOK_AT_ALL_MS = 200
/**
 * While commits are so many that they send no wake-up a look is had this often. What comes between two looks is read,
 * sent and settled together: every 50 ms, the looks and the small batches that they found took a third of the rate at
 * which 8 writers committed.
 */
const FLOOD_MS = 200
/** Without wake-ups, while lanes are worked and shortly after. */
const BUSY_MS = 20
/** Right after wake-ups were asked for. */
const NEW_MS = 50
/** The same while none but bulk lanes are worked: a live event that comes then is not to notice. */
const BULK_MS = 10
/** Shortly: for this long after work. */
const WORKED_MS = 200

/** How often the dispatcher looks without being told. */
export class LookPace {
  readonly #flag: Pick<IdleFlag, 'isNew' | 'isUp' | 'isDue'>
  #workedAt = Number.NEGATIVE_INFINITY

  constructor(flag: Pick<IdleFlag, 'isNew' | 'isUp' | 'isDue'>) {
    this.#flag = flag
  }

  /** A turn has ended. */
  worked(): void {
    this.#workedAt = performance.now()
  }

  /**
   * Milliseconds between looks; undefined: at the polls.
   *
   * @param atWork The lanes of which something is under way here.
   */
  betweenLooks(atWork: readonly Lane[]): number | undefined {
    const works = atWork.length > 0
    if (works) this.worked()
    if (this.#flag.isNew) return NEW_MS
    if (this.#flag.isUp) return works ? LOOK_AT_ALL_MS : undefined
    if (works && atWork.every(isBulk)) return BULK_MS
    if (this.#flag.isDue) return FLOOD_MS
    return performance.now() - this.#workedAt < WORKED_MS ? BUSY_MS : undefined
  }
}
