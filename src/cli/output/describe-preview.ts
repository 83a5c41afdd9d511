import type { BulkKind, Preview } from '../../operate/actions.ts'
import { count } from './format.ts'

/** What a bulk action would do, in a few lines, with the plan and the next step. */
export function describePreview(kind: BulkKind, preview: Preview, options: object): string {
  const { intents, people, oldest, newest, staleIdentifies, plan } = preview
  const restamp = 'restamp' in options && options.restamp === true
  const lines = [
    `${kind} would touch ${count(intents)} intents of ${count(people)} people`,
    ...(oldest && newest ? [`enqueued from ${oldest.toISOString()} to ${newest.toISOString()}`] : []),
    ...(staleIdentifies > 0
      ? [
          restamp
            ? `${count(staleIdentifies)} identifies would OVERWRITE a newer one: leave out --restamp`
            : `${count(staleIdentifies)} identifies are older than one that is delivered or queued: Customer.io ignores them`,
        ]
      : []),
    `plan ${plan}`,
  ]
  return lines.join('\n')
}
