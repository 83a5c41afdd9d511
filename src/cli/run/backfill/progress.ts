import { SingleBar } from 'cli-progress'
import { age, count } from '../../output/format.ts'

export interface Progress {
  update(done: number): void
  close(): void
}

const PLAIN_EVERY_MS = 2_000

/**
 * Shows how far a long run is and how long it will take: a bar on a terminal, else a line every two seconds. On stderr, so that
 * stdout holds results only.
 */
export function openProgress(total: number, alreadyDone: number): Progress {
  const startedAt = performance.now()
  const text = (done: number) => {
    const perSecond = (done - alreadyDone) / Math.max(0.1, (performance.now() - startedAt) / 1_000)
    const left = perSecond > 0 ? `${age(Math.max(0, total - done) / perSecond)} left` : ''
    return [`${count(perSecond)}/s`, left].filter(Boolean).join(', ')
  }
  if (!process.stderr.isTTY) return plain(total, text)
  const bar = new SingleBar({
    stream: process.stderr,
    format: '  {bar} {percentage} %  {value} of {total}  {text}',
    barCompleteChar: '█',
    barIncompleteChar: '░',
    hideCursor: true,
    clearOnComplete: true,
    gracefulExit: false,
    formatValue: (value, _, type) => (type === 'percentage' ? String(value) : count(value)),
  })
  bar.start(Math.max(1, total), alreadyDone, { text: '' })
  return {
    update: (done) => bar.update(Math.min(done, Math.max(1, total)), { text: text(done) }),
    close: () => bar.stop(),
  }
}

function plain(total: number, text: (done: number) => string): Progress {
  let shownAt = performance.now()
  return {
    update(done) {
      if (performance.now() - shownAt < PLAIN_EVERY_MS) return
      shownAt = performance.now()
      console.error(`${count(done)} of ${count(total)}, ${text(done)}`)
    },
    close() {},
  }
}
