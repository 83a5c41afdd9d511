import { SettingError } from '../../errors.ts'
import { describeDeadLetter } from '../../output/dead-letter-tables.ts'
import { eventTable } from '../../output/find-table.ts'
import { type OperatorTarget, withOperator } from './with-operator.ts'

/** Prints a dead letter, its payload, and what happened to it. */
export async function runDeadShow(target: OperatorTarget, id: string, json: boolean): Promise<void> {
  await withOperator(target, async (operator) => {
    const letter = await operator.deadLetter(id)
    if (!letter)
      throw new SettingError(`Expected the id of a dead letter, got ${id}: run customerio-outbox find ${id}`)
    const events = await operator.find(letter.id)
    if (json) console.log(JSON.stringify({ ...letter, events }))
    else console.log(`${describeDeadLetter(letter)}\n\n${eventTable(events)}`)
  })
}
