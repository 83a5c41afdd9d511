import { eventTable } from '../../output/find-table.ts'
import type { Target } from '../connection.ts'
import { withOperator } from './with-operator.ts'

/** Prints what happened to a person or an intent. */
export async function runFind(target: Target, what: string, limit: number, json: boolean): Promise<void> {
  await withOperator(target, async (operator) => {
    const events = await operator.find(what, { maxIntents: limit })
    console.log(json ? JSON.stringify({ events }) : eventTable(events))
  })
}
