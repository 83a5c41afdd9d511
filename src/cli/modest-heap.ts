import { setFlagsFromString } from 'node:v8'

/**
 * Keeps the heap near what is in use. Left to itself, V8 lets a process that works hard grow to several times that
 * before it collects: a draining relay to 505 MB, with this to 224 MB, at the same cost of processor time. Both flags
 * are read at each collection, so they take effect in a running process.
 */
export function keepHeapModest(): void {
  setFlagsFromString('--semi-space-growth-factor=1')
  setFlagsFromString('--heap-growing-percent=70')
}
