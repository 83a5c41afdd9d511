import { createOperator, type Operator } from '../../../operate/operator.ts'
import type { Target } from '../connection.ts'

/** Runs `work` with an operator, and closes its connections. */
export async function withOperator<Result>(
  { databaseUrl, schema }: Target,
  work: (operator: Operator) => Promise<Result>,
): Promise<Result> {
  const operator = createOperator({ connectionString: databaseUrl, schema })
  try {
    return await work(operator)
  } finally {
    await operator.close()
  }
}
