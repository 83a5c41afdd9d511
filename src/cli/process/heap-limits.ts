/**
 * Keeps the heap near what is in use; imported before everything else, because V8 keeps the size that its young
 * generation has once grown to. Left to itself V8 lets a process that works hard grow to several times what it needs
 * before it collects: a relay that drains a backlog to about 400 MB, with this to about 200 MB.
 */
import { setFlagsFromString } from 'node:v8'

setFlagsFromString('--semi-space-growth-factor=1')
setFlagsFromString('--heap-growing-percent=60')
