import { existsSync } from 'node:fs'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { InvalidOptionError } from '../../intent/errors.ts'
import type { EventPlan } from '../../intent/plan/event-schema.ts'
import { schemasOf } from '../../intent/plan/plan.ts'
import { SettingError } from '../errors.ts'

/**
 * Loads the tracking plan of a module: its export `events`, else its default export.
 *
 * @param file Path of a JavaScript module, or of a TypeScript module that Node.js can run.
 * @throws SettingError with one line if the file cannot be loaded or has no plan.
 */
export async function readPlanFile(file: string): Promise<EventPlan> {
  if (!existsSync(file))
    throw new SettingError(`${file}: expected a module with a tracking plan, got no file`)
  const exported = await load(file)
  const plan = exported.events ?? exported.default
  if (plan === undefined) {
    const names = Object.keys(exported).join(', ') || 'nothing'
    throw new SettingError(
      `${file}: expected the module to export the plan as events, or as default, got ${names}`,
    )
  }
  try {
    schemasOf(plan)
  } catch (error) {
    if (!(error instanceof InvalidOptionError)) throw error
    throw new SettingError(`${file}: ${error.message}`)
  }
  return plan as EventPlan
}

async function load(file: string): Promise<Record<string, unknown>> {
  try {
    return await import(pathToFileURL(path.resolve(file)).href)
  } catch (thrown) {
    const { code, message } = thrown as { code?: string; message?: string }
    if (code === 'ERR_UNKNOWN_FILE_EXTENSION') {
      throw new SettingError(
        `${file}: Node.js ${process.versions.node} cannot run this file: pass JavaScript, or use a Node.js ≥ 22.18 for TypeScript`,
      )
    }
    throw new SettingError(`${file}: cannot load the module: ${oneLine(message ?? String(thrown))}`)
  }
}

function oneLine(text: string): string {
  return text.replace(/\s*\n\s*/g, ' ').trim()
}
