import { SettingError } from '../../errors.ts'
import { actionTable, describeAction } from '../../output/action-tables.ts'
import type { Target } from '../connection.ts'
import { follow } from './follow.ts'
import { withOperator } from './with-operator.ts'

/** Lists the newest actions, or shows one. */
export async function runActions(
  target: Target,
  { id, limit, watch }: { readonly id: string | undefined; readonly limit: number; readonly watch: boolean },
  json: boolean,
): Promise<void> {
  if (watch && id === undefined) throw new SettingError('Expected the id of an action with --watch, got none')
  await withOperator(target, async (operator) => {
    if (id === undefined) {
      const actions = await operator.actions({ limit })
      console.log(json ? JSON.stringify({ actions }) : actionTable(actions))
      return
    }
    if (watch) {
      await follow(operator, id, json)
      return
    }
    const action = await operator.action(id)
    if (!action)
      throw new SettingError(`Expected the id of an action, got ${id}: run customerio-outbox actions`)
    console.log(json ? JSON.stringify(action) : describeAction(action))
  })
}
