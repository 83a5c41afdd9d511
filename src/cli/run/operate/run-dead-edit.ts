import { spawnSync } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { text } from 'node:stream/consumers'
import { isDeepStrictEqual } from 'node:util'
import type { DeadLetter } from '../../../operate/dead-letters.ts'
import { SettingError } from '../../errors.ts'
import { type OperatorTarget, withOperator } from './with-operator.ts'

export interface DeadEdit {
  readonly id: string
  /** A file with the new payload; `-` for standard input. Undefined: an editor. */
  readonly file: string | undefined
  readonly because: string | undefined
}

/** Replaces the payload of a dead letter by the text of a file or of an editor. */
export async function runDeadEdit(
  target: OperatorTarget,
  { id, file, because }: DeadEdit,
  json: boolean,
): Promise<void> {
  await withOperator(target, async (operator) => {
    const letter = await operator.deadLetter(id)
    if (!letter)
      throw new SettingError(`Expected the id of a dead letter, got ${id}: run customerio-outbox find ${id}`)
    const edited = file === undefined ? await inEditor(letter) : await fromFile(file)
    const payload = parse(edited)
    if (isDeepStrictEqual(payload, letter.payload)) {
      console.log(json ? JSON.stringify({ id: letter.id, edited: false }) : 'nothing was changed')
      return
    }
    await operator.editDeadLetter(letter, payload, { reason: because })
    console.log(
      json
        ? JSON.stringify({ id: letter.id, edited: true })
        : `payload replaced; send it again: customerio-outbox dead redrive --ids ${letter.id} --yes`,
    )
  })
}

function fromFile(file: string): Promise<string> {
  return file === '-' ? text(process.stdin) : readFile(file, 'utf8')
}

async function inEditor(letter: DeadLetter): Promise<string> {
  const editor = process.env.VISUAL || process.env.EDITOR || 'vi'
  if (!process.stdin.isTTY)
    throw new SettingError('Expected --payload FILE, because there is no terminal for an editor')
  const folder = await mkdtemp(path.join(tmpdir(), 'customerio-outbox-')) // readable by this user only
  const file = path.join(folder, `${letter.id}.json`)
  try {
    await writeFile(file, `${JSON.stringify(letter.payload, undefined, 2)}\n`, { mode: 0o600 })
    const { status, error } = spawnSync(`${editor} "${file}"`, { shell: true, stdio: 'inherit' })
    if (status !== 0)
      throw new Error(`the editor ${editor} failed: ${error?.message ?? `exit status ${status}`}`)
    return await readFile(file, 'utf8')
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

function parse(payload: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(payload)
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return { ...value }
  } catch (error) {
    throw new SettingError(`Expected the payload to be JSON: ${(error as Error).message}`)
  }
  throw new SettingError('Expected the payload to be a JSON object')
}
