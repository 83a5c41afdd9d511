import { describeAction } from '../../output/action-tables.ts'
import type { Target } from '../connection.ts'
import { withOperator } from './with-operator.ts'

/** Ends an action after the chunk that runs, and prints what it had done. */
export async function runCancel(target: Target, id: string, json: boolean): Promise<void> {
  await withOperator(target, async (operator) => {
    const cancelled = await operator.cancel(id)
    const action = await operator.action(id)
    if (json) console.log(JSON.stringify({ cancelled, action }))
    else if (action) console.log(`${cancelled ? '' : 'already ended: '}${describeAction(action)}`)
  })
}
