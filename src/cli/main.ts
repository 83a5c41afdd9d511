#!/usr/bin/env node
import './process/node-version.ts' // first: other modules fail on an old Node.js
import './process/heap-limits.ts' // before the heap grows

// Not a static import: in the bundle, Node.js would load its packages before the two modules above run.
const { runProgram } = await import('./program.ts')
await runProgram()
