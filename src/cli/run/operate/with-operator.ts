import { createOperator, type Operator } from '../../../operate/operator.ts'
import type { Target } from '../connection.ts'

/** Also the keys of encrypted payloads, for commands that show or edit one. */
export interface OperatorTarget extends Target {
  readonly encryptionKeys?: string | undefined
}

/** Runs `work` with an operator, and closes its connections. */
export async function withOperator<Result>(
  { databaseUrl, schema, encryptionKeys }: OperatorTarget,
  work: (operator: Operator) => Promise<Result>,
): Promise<Result> {
  const operator = createOperator({
    connectionString: databaseUrl,
    schema,
    encryption: encryptionKeys === undefined ? undefined : { keys: encryptionKeys },
  })
  try {
    return await work(operator)
  } finally {
    await operator.close()
  }
}
