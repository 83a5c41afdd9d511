/**
 * Limits how far V8 lets the heap grow before it collects garbage. A relay that drains a backlog then takes about 200 MB
 * instead of 400 MB.
 *
 * Imported before other modules, because V8 keeps the size that its young generation has reached.
 */
import { setFlagsFromString } from 'node:v8'

setFlagsFromString('--semi-space-growth-factor=1')
setFlagsFromString('--heap-growing-percent=60')
