import type { Socket } from 'node:net'

/** Faults in one direction. */
export interface PipeFaults {
  /** Delay of all bytes. Milliseconds. */
  readonly delayMs?: number
  /** Drops all bytes, and the end of the connection. */
  readonly swallow?: boolean
}

export interface Pipe {
  readonly swallows: boolean
  set(faults: PipeFaults): void
}

/** Forwards the bytes of one direction in order, and then the end. `onChunk` receives the bytes before any fault applies. */
export function pipe(from: Socket, to: Socket, onChunk: (chunk: Buffer) => void = () => {}): Pipe {
  let faults: PipeFaults = {}
  let late = Promise.resolve()
  const deliver = (act: () => void) => {
    const { delayMs = 0 } = faults
    late =
      delayMs === 0
        ? late.then(act)
        : Promise.all([late, new Promise((r) => setTimeout(r, delayMs))]).then(act)
  }
  from.on('data', (chunk: Buffer) => {
    onChunk(chunk)
    if (faults.swallow) return
    deliver(() => {
      if (faults.swallow || to.destroyed || to.write(chunk)) return
      from.pause()
      to.once('drain', () => from.resume())
    })
  })
  from.on('end', () => {
    if (!faults.swallow) deliver(() => !faults.swallow && !to.destroyed && to.end())
  })
  return {
    get swallows() {
      return faults.swallow === true
    },
    set: (next) => {
      faults = next
    },
  }
}
