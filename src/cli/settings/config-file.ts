import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { z } from 'zod'
import { credentialProblem } from '../../customerio/credentials.ts'
import { workspaceSchema } from '../../relay/options-schema.ts'
import type { WorkspaceOptions } from '../../relay/options.ts'
import { SettingError } from '../errors.ts'
import { keepSecret } from '../output/redact.ts'

/** Settings that the file gives by reference only: a config file often ends up in a repository. */
const KEYS = ['siteId', 'trackApiKey', 'appApiKey', 'pipelinesWriteKey'] as const

type Key = (typeof KEYS)[number]
type Reference = { readonly env: string } | { readonly file: string }

const REFERENCE = '{"env": "NAME_OF_A_VARIABLE"} or {"file": "/path/of/a/file"}'

const reference = z
  .union([z.strictObject({ env: z.string().min(1) }), z.strictObject({ file: z.string().min(1) })], {
    error: ({ input }) =>
      typeof input === 'string'
        ? `expected ${REFERENCE}, got a string: move the key out of this file`
        : `expected ${REFERENCE}`,
  })
  .optional()

const configSchema = z.strictObject({
  workspaces: z.record(
    z.string().regex(/^[a-z0-9][a-z0-9_-]{0,62}$/i),
    z.strictObject({
      ...workspaceSchema.shape,
      siteId: reference,
      trackApiKey: reference,
      appApiKey: reference,
      pipelinesWriteKey: reference,
    }),
  ),
})

type ConfiguredWorkspace = z.output<typeof configSchema>['workspaces'][string]

/**
 * Reads the config file, and the keys that it refers to: from an environment variable, or from a file whose path is relative
 * to the config file's folder.
 *
 * @throws SettingError with a line for each wrong setting. No line quotes a value of the file.
 */
export async function readConfigFile(file: string): Promise<Readonly<Record<string, WorkspaceOptions>>> {
  const { workspaces } = checked(file, configSchema, await readJson(file))
  const lines: string[] = []
  const read: Record<string, WorkspaceOptions> = {}
  for (const [name, workspace] of Object.entries(workspaces)) {
    const { keys, wrong } = await readKeys(workspace, path.dirname(file))
    lines.push(...wrong.map((line) => `${file}: workspaces.${name}.${line}`))
    if (wrong.length > 0) continue
    const result = workspaceSchema.safeParse({ ...workspace, ...keys })
    if (result.success) read[name] = result.data
    else lines.push(...linesOf(file, result.error, ['workspaces', name]))
  }
  if (lines.length > 0) throw new SettingError(lines.join('\n'))
  if (Object.keys(read).length === 0)
    throw new SettingError(`${file}: workspaces: expected at least one workspace, got none`)
  return read
}

async function readJson(file: string): Promise<unknown> {
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw new SettingError(`--config: cannot read ${file}: ${error.code ?? error.message}`)
  })
  try {
    return JSON.parse(text)
  } catch (error) {
    // Only the position: the rest of the message quotes the text.
    const [place = ''] = (error as Error).message.match(/ \(?line \d+ column \d+/) ?? []
    throw new SettingError(`${file}: expected JSON${place && `: syntax error at${place.replace('(', '')}`}`)
  }
}

async function readKeys(workspace: ConfiguredWorkspace, folder: string) {
  const keys: { [K in Key]?: string } = {}
  const wrong: string[] = []
  for (const key of KEYS) {
    const given = workspace[key]
    if (given === undefined) continue
    const value = await readReference(given, folder)
    keepSecret(value.found)
    if (value.found !== undefined) keys[key] = value.found
    else wrong.push(`${key}: ${value.problem}`)
  }
  return { keys, wrong }
}

type Found =
  | { readonly found: string; readonly problem?: never }
  | { readonly problem: string; readonly found?: never }

async function readReference(reference: Reference, folder: string): Promise<Found> {
  if ('env' in reference) {
    const found = process.env[reference.env]
    const name = `the environment variable ${reference.env}`
    return found ? checkCredential(name, found) : { problem: `${name} is not set` }
  }
  const file = path.resolve(folder, reference.file)
  try {
    // Editors end a file with a line break.
    return checkCredential(`the file ${file}`, (await readFile(file, 'utf8')).trim())
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    return { problem: `cannot read ${file}: ${code ?? message}` }
  }
}

function checkCredential(name: string, found: string): Found {
  const problem = credentialProblem(found)
  return problem === undefined ? { found } : { problem: `${name} ${problem}` }
}

function checked<Schema extends z.ZodType>(file: string, schema: Schema, value: unknown): z.output<Schema> {
  const result = schema.safeParse(value)
  if (result.success) return result.data
  throw new SettingError(linesOf(file, result.error, []).join('\n'))
}

function linesOf(file: string, { issues }: z.ZodError, within: readonly string[]): string[] {
  return issues.flatMap((issue) => {
    const at = (...rest: string[]) => {
      const place = [...within, ...issue.path.map(String), ...rest].join('.')
      return place === '' ? file : `${file}: ${place}`
    }
    if (issue.code === 'unrecognized_keys') return issue.keys.map((key) => `${at(key)}: unknown setting`)
    if (issue.code === 'invalid_key')
      return [
        `${at()}: expected the name of a workspace to be 1 to 63 letters, digits, - or _, beginning with a letter or digit`,
      ]
    return [`${at()}: ${lineEnd(issue.message)}`]
  })
}

/** Turns a sentence of zod, or a `to be …` of `relayOptionsSchema`, into the end of a line. */
function lineEnd(message: string): string {
  if (message.startsWith('to be ')) return `expected ${message.slice('to be '.length)}`
  if (message.startsWith('to ')) return `must${message.slice('to'.length)}`
  return message.charAt(0).toLowerCase() + message.slice(1)
}
