import { createInterface } from 'node:readline/promises'
import type { BulkKind, Preview } from '../../../operate/actions.ts'
import type { Operator } from '../../../operate/operator.ts'
import { SettingError } from '../../errors.ts'
import { describePreview } from '../../output/describe-preview.ts'
import { count } from '../../output/format.ts'
import type { Target } from '../connection.ts'
import { follow } from './follow.ts'
import { withOperator } from './with-operator.ts'

/** What to do after the preview. */
export type Decision =
  | { readonly kind: 'preview' }
  | { readonly kind: 'apply'; readonly plan: string }
  | { readonly kind: 'yes' }
  | { readonly kind: 'ask' }

export interface Bulk {
  readonly kind: BulkKind
  readonly filter: object
  readonly options: object
  readonly because: string | undefined
  readonly decision: Decision
  readonly watch: boolean
  readonly json: boolean
}

/** Previews a bulk action, and applies it if the flags or the answer to a question say so. */
export async function runBulk(target: Target, given: Bulk): Promise<void> {
  await withOperator(target, (operator) => previewAndApply(operator, given))
}

async function previewAndApply(operator: Operator, given: Bulk): Promise<void> {
  const { kind, filter, options, because, decision, watch, json } = given
  const plan = decision.kind === 'apply' ? decision.plan : await accepted(operator, given)
  if (plan === undefined) return
  const actionId = await operator.apply(kind, filter as never, plan, { ...options, reason: because } as never)
  const status = await operator.action(actionId)
  if (watch) {
    await follow(operator, actionId, json)
    return
  }
  if (json) {
    console.log(JSON.stringify(status))
    return
  }
  const waiting = status?.waiting ? `; it waits, because ${status.waiting}` : ''
  console.log(`action ${actionId} is requested${waiting}`)
  console.log(`follow it: customerio-outbox actions ${actionId} --watch`)
}

/** @returns the plan to apply, or undefined if nothing is to be done. */
async function accepted(operator: Operator, given: Bulk): Promise<string | undefined> {
  const { kind, filter, options, decision, json } = given
  if (decision.kind === 'ask' && !isInteractive(json)) {
    throw new SettingError(
      'Expected --preview, --apply PLAN or --yes, because there is no terminal to ask on',
    )
  }
  const preview = await operator.preview(kind, filter as never, options as never)
  if (decision.kind === 'preview' && json) console.log(JSON.stringify(preview))
  else if (!json) console.log(describePreview(kind, preview, options))
  if (decision.kind === 'preview') return undefined
  if (decision.kind === 'ask' && preview.intents > 0 && !(await confirm(kind, preview))) {
    console.log('nothing was changed')
    return undefined
  }
  return preview.plan
}

function isInteractive(json: boolean): boolean {
  return process.stdin.isTTY && process.stdout.isTTY && !json
}

async function confirm(kind: BulkKind, { intents }: Preview): Promise<boolean> {
  const terminal = createInterface({ input: process.stdin, output: process.stdout })
  try {
    const answer = await terminal.question(`${kind} ${count(intents)} intents? [y/N] `)
    return /^y(es)?$/i.test(answer.trim())
  } finally {
    terminal.close()
  }
}
