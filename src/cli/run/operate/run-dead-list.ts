import { deadLetterTable } from '../../output/dead-letter-tables.ts'
import { type OperatorTarget, withOperator } from './with-operator.ts'

export interface DeadList {
  readonly filter: object
  readonly limit: number
  readonly after: string | undefined
}

/** Prints a page of dead letters. */
export async function runDeadList(
  target: OperatorTarget,
  { filter, limit, after }: DeadList,
  json: boolean,
): Promise<void> {
  await withOperator(target, async (operator) => {
    const page = await operator.deadLetters(filter, { limit, after })
    if (json) {
      console.log(JSON.stringify(page))
      return
    }
    console.log(deadLetterTable(page.letters))
    if (page.next !== undefined) console.log(`\nnext page: --after ${page.next}`)
  })
}
