import { type ChildProcess, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { chmod, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { canListProcesses, processesOf } from '../support/process-tree.ts'

const MAIN = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url))
/** Milliseconds after which no process and no file may be left. */
const GONE_WITHIN_MS = 15_000
/** Milliseconds that the demo may take to start. A loaded machine needs a minute. */
const STARTED_WITHIN_MS = 150_000
const TIMEOUT = { timeout: 200_000 }

let folder: string
let mark: string
let child: ChildProcess
let printed: string
beforeEach(async () => {
  mark = `demo-cleanup-${randomUUID()}`
  folder = await mkdtemp(path.join(tmpdir(), 'outbox-demo-'))
  await chmod(folder, 0o755) // Postgres runs as another user if the tests run as root
})
afterEach(async () => {
  for (const line of await processesOf(mark, folder)) process.kill(Number.parseInt(line, 10), 'SIGKILL')
  await rm(folder, { recursive: true, force: true })
})

/** Starts `command` in a session of its own. `command` is a demo, or starts one. The demo runs a Postgres of its own. */
function start(command: string, args: readonly string[]): void {
  printed = ''
  child = spawn(command, args, {
    detached: true,
    env: { PATH: process.env.PATH, HOME: process.env.HOME, TMPDIR: folder, OUTBOX_TEST_MARK: mark },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (chunk: Buffer) => {
      printed += chunk.toString()
    })
  }
}

const DEMO = [MAIN, 'demo', '--intents', '500']
const running = () => processesOf(mark, folder)
const untilPrinted = (pattern: RegExp) =>
  eventually(`${pattern}`, () => pattern.test(printed), STARTED_WITHIN_MS)
const relaysOf = (lines: readonly string[]) => lines.filter((line) => / relay --/.test(line))

async function expectNothingLeft(): Promise<void> {
  let left: string[] = []
  await eventually(
    'the end of every process',
    async () => {
      left = await running()
      if (left.length > 0) await delay(200) // reading /proc takes CPU time from the processes that must end
      return left.length === 0
    },
    GONE_WITHIN_MS,
  ).catch(() => expect(left).toEqual([]))
  expect(await readdir(folder)).toEqual([])
}

describe.skipIf(!canListProcesses)('a demo that is ended early leaves no process and no file', () => {
  test.each(['SIGHUP', 'SIGINT', 'SIGTERM'] as const)('by %s', TIMEOUT, async (signal) => {
    start(process.execPath, DEMO)
    await untilPrinted(/2 of 2/)
    const lines = await running()
    expect(relaysOf(lines)).toHaveLength(2)
    expect(lines.filter((line) => /postgres/.test(line)).length).toBeGreaterThan(1)
    child.kill(signal)
    const [status] = await once(child, 'exit')
    expect({ status, printed }).toEqual({
      status: 130,
      printed: expect.stringMatching(/: interrupted; .*\n$/),
    })
    await expectNothingLeft()
  })

  test('by SIGKILL, which it cannot handle', TIMEOUT, async () => {
    start(process.execPath, DEMO)
    await untilPrinted(/2 of 2/)
    child.kill('SIGKILL')
    await expectNothingLeft()
  })

  test('by SIGKILL while its Postgres starts', TIMEOUT, async () => {
    start(process.execPath, DEMO)
    await eventually('initdb', async () => /initdb/.test((await running()).join()), STARTED_WITHIN_MS)
    child.kill('SIGKILL')
    await expectNothingLeft()
  })

  test('by the end of its parent', TIMEOUT, async () => {
    start('sh', ['-c', `"$0" "$@" & wait`, process.execPath, ...DEMO])
    await untilPrinted(/2 of 2/)
    child.kill('SIGKILL')
    await expectNothingLeft()
  })
})
