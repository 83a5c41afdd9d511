import { SingleBar } from 'cli-progress'
import type { ActionStatus } from '../../../operate/actions.ts'
import type { Operator } from '../../../operate/operator.ts'
import { EXIT } from '../../errors.ts'
import { describeAction } from '../../output/action-tables.ts'
import { count } from '../../output/format.ts'

/** Shows the progress of an action until it has ended, or until Ctrl-C. The exit status is 1 unless it is done. */
export async function follow(operator: Operator, actionId: string, json: boolean): Promise<void> {
  const interrupted = new AbortController()
  const stop = () => interrupted.abort()
  process.once('SIGINT', stop)
  process.once('SIGTERM', stop)
  const show = json ? jsonLines() : process.stdout.isTTY ? progressBar() : textLines()
  let last: ActionStatus | undefined
  try {
    for await (const status of operator.follow(actionId, interrupted.signal)) {
      last = status
      show.update(status)
    }
  } finally {
    show.close()
    process.off('SIGINT', stop)
    process.off('SIGTERM', stop)
  }
  if (!last) return
  if (!json) console.log(describeAction(last))
  if (last.finishedAt === null) console.error('the action goes on without this command')
  else if (last.state !== 'done') process.exitCode = EXIT.failed
}

interface Display {
  update(status: ActionStatus): void
  close(): void
}

function jsonLines(): Display {
  return { update: (status) => console.log(JSON.stringify(status)), close() {} }
}

function textLines(): Display {
  let shown = -1
  return {
    update({ processed, total, state, waiting }) {
      if (processed === shown) return
      shown = processed
      console.log(`${state}  ${count(processed)} of ${count(total)}${waiting ? `  ${waiting}` : ''}`)
    },
    close() {},
  }
}

function progressBar(): Display {
  const bar = new SingleBar({
    format: '  {bar} {percentage} %  {value} of {total}  {text}',
    barCompleteChar: '█',
    barIncompleteChar: '░',
    hideCursor: true,
    clearOnComplete: true,
    gracefulExit: false,
    formatValue: (value, _, type) => (type === 'percentage' ? String(value) : count(value)),
  })
  bar.start(1, 0, { text: '' })
  return {
    update({ processed, total, startedAt, state, waiting }) {
      bar.setTotal(Math.max(1, total, processed))
      bar.update(processed, { text: waiting ?? remaining(processed, total, startedAt) ?? state })
    },
    close: () => bar.stop(),
  }
}

/** The time that is left at the present rate; undefined before there is one. */
function remaining(processed: number, total: number, startedAt: Date | null): string | undefined {
  if (startedAt === null || processed === 0) return undefined
  const perSecond = processed / Math.max(0.5, (Date.now() - startedAt.getTime()) / 1_000)
  return `${count(perSecond)}/s, ${Math.ceil(Math.max(0, total - processed) / perSecond)} s left`
}
