import { wireOperation } from '../../customerio/transports/wire-text.ts'
import type { Content, QueuedIntent } from '../../store/lanes/queued-intent.ts'
import type { HoldingRule } from '../../store/lanes/settle.ts'
import type { ResolvedWorkspace } from '../options-schema.ts'

/** Which dead letters of a destination hold later intents of their key. */
export interface Holding {
  /** For the statement that settles. */
  readonly rule: HoldingRule
  /** Whether a dead letter of this row would hold. */
  readonly mayHold: (row: QueuedIntent) => boolean
}

/** @returns undefined if no dead letter holds. */
export function holdingOf(onDead: ResolvedWorkspace['onDead']): Holding | undefined {
  const { default: byDefault = 'continue', ...operations } =
    typeof onDead === 'object' ? onDead : { default: onDead }
  const exceptions = Object.entries(operations).flatMap(([operation, choice]) =>
    choice === undefined || choice === byDefault ? [] : [operation],
  )
  const rule = { byDefault: byDefault === 'hold', exceptions }
  if (exceptions.length === 0) return rule.byDefault ? { rule, mayHold: () => true } : undefined
  const excepted = new Set(exceptions)
  return { rule, mayHold: ({ content }) => excepted.has(operationOf(content) ?? '') !== rule.byDefault }
}

function operationOf(content: Content): string | undefined {
  if (content.form === 'wire') return wireOperation(content.text)
  return 'operation' in content ? content.operation : undefined // a locked row is not sent
}
