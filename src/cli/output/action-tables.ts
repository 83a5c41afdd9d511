import type { ActionStatus } from '../../operate/actions.ts'
import { count, shorten } from './format.ts'
import { table } from './table.ts'

export function actionTable(actions: readonly ActionStatus[]): string {
  return table(
    actions,
    [
      { head: 'action', cell: ({ actionId }) => actionId },
      { head: 'kind', cell: ({ kind }) => kind },
      { head: 'state', cell: ({ state }) => state },
      {
        head: 'done',
        align: 'right',
        cell: ({ processed, total }) => `${count(processed)} of ${count(total)}`,
      },
    ],
    'none',
  )
}

/** One action in a few lines. */
export function describeAction(action: ActionStatus): string {
  const {
    actionId,
    kind,
    state,
    processed,
    total,
    requestedBy,
    requestedAt,
    reason,
    waiting,
    error,
    result,
  } = action
  const receipt = Object.entries(result).map(([name, value]) => `${name} ${JSON.stringify(value)}`)
  return [
    `${kind} ${actionId} is ${state}: ${count(processed)} of ${count(total)} intents`,
    `requested by ${requestedBy} at ${requestedAt.toISOString()}${reason ? `: ${shorten(reason, 200)}` : ''}`,
    ...(waiting ? [`it waits: ${waiting}`] : []),
    ...(error ? [`last error: ${shorten(error, 300)}`] : []),
    ...(receipt.length > 0 ? [`receipt: ${receipt.join(', ')}`] : []),
  ].join('\n')
}
