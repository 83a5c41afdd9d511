import type { MeasureId } from '../settings.ts'
import { drain } from './drain.ts'
import { enqueue } from './enqueue.ts'
import { fleet } from './fleet.ts'
import { growth } from './growth.ts'
import { idle } from './idle.ts'
import { latency } from './latency.ts'
import { libraries } from './libraries.ts'
import type { Measure } from './measure.ts'

export const MEASURES_BY_ID: Readonly<Record<MeasureId, Measure>> = {
  drain,
  enqueue,
  latency,
  growth,
  fleet,
  idle,
  libraries,
}
