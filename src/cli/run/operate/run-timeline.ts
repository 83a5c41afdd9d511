import { describeTimeline, plainTimeline } from '../../output/describe-timeline.ts'
import type { Target } from '../connection.ts'
import { withOperator } from './with-operator.ts'

/** Prints what Customer.io should know about a person. */
export async function runTimeline(
  target: Target,
  person: string,
  until: Date | undefined,
  json: boolean,
): Promise<void> {
  await withOperator(target, async (operator) => {
    const timelines = await operator.timeline(person, { until })
    if (json) console.log(JSON.stringify({ timelines: timelines.map(plainTimeline) }))
    else console.log(timelines.map(describeTimeline).join('\n\n') || 'nothing was found')
  })
}
