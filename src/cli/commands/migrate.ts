import type { Command } from 'commander'
import type { EventPlan } from '../../intent/plan/event-schema.ts'
import type { NotGranted } from '../../store/migrate/not-granted.ts'
import { type Names, namesOf } from '../../store/names.ts'
import { addDatabaseOptions, addExamples, addJsonOption } from './shared-options.ts'
import { SettingError } from '../errors.ts'
import { readPlanFile } from '../settings/plan-file.ts'
import { readSettings, settings } from '../settings/settings.ts'

/** `customerio-outbox migrate` */
export function addMigrateCommand(program: Command): void {
  const command = program
    .command('migrate')
    .description(
      'create the schema of the outbox, or upgrade it to this version; safe to repeat and to run concurrently',
    )
    .option('--sql', 'change nothing; print the SQL, for psql')
    .option(
      '--events <file>',
      'hold SQL callers to the tracking plan of this module: its export events, else its default export (default: the installed plan stays)',
    )
    .option('--no-events', 'remove the installed tracking plan')
    .option('--no-strict', 'with --events: report unknown names by a WARNING; do not refuse them')
    .option(
      '--require-encryption [workspace...]',
      'take encrypted payloads only, in these workspaces (default without a name: in all of them)',
    )
    .option('--no-require-encryption', 'take readable payloads again')
    .action(async (flags) => {
      const { databaseUrl, schema } = readSettings(
        { databaseUrl: settings.databaseUrl, schema: settings.schema },
        flags,
      )
      const { requireEncryption } = flags
      const options = {
        connectionString: databaseUrl,
        schema,
        ...(await planOptions(flags)),
        ...(requireEncryption === undefined ? {} : { requireEncryption }),
      }
      if (flags.sql) await printScript(options, Boolean(flags.json))
      else await run(options, Boolean(flags.json))
    })
  addJsonOption(addDatabaseOptions(command))
  addExamples(command, [
    ['in a deployment', 'migrate'],
    ['with the tracking plan of the app', 'migrate --events tracking-plan.ts'],
    ['refuse readable payloads', 'migrate --require-encryption'],
    ['review the SQL, or run it as another user', 'migrate --sql | psql "$ADMIN_URL" -v ON_ERROR_STOP=1'],
  ])
}

interface Target extends PlanOptions {
  readonly requireEncryption?: boolean | readonly string[]
  readonly connectionString: string
  readonly schema: string | undefined
}

interface PlanOptions {
  readonly events?: EventPlan | null
  readonly strict?: boolean
}

/** The flags `--events`, `--no-events` and `--no-strict`. */
async function planOptions(flags: { events?: string | boolean; strict?: boolean }): Promise<PlanOptions> {
  if (typeof flags.events === 'string') {
    return { events: await readPlanFile(flags.events), strict: flags.strict !== false }
  }
  if (flags.strict === false) throw new SettingError('Expected --no-strict to be given with --events <file>')
  return flags.events === false ? { events: null } : {}
}

async function run(options: Target, json: boolean): Promise<void> {
  const { migrate } = await import('../../store/migrate/migrate.ts') // loads pg-boss; other commands do not need it
  const names = namesOf(options.schema)
  const { schema } = names
  const onWait = (message: string) => console.error(`customerio-outbox: ${message}`)
  const { applied, version, notGranted, plan, encrypted } = await migrate({ ...options, onWait })
  if (notGranted.length > 0) console.error(`customerio-outbox: ${describeNotGranted(names, notGranted)}`)
  if (json) {
    console.log(JSON.stringify({ schema, version, applied, notGranted, plan, encrypted }))
    return
  }
  const done = applied.length === 0 ? 'nothing to do' : `applied ${applied.join(', ')}`
  console.log(`schema "${schema}" is at version ${version}: ${done}`)
  if (plan)
    console.log(`the tracking plan of SQL callers ${plan === 'unchanged' ? 'is unchanged' : `was ${plan}`}`)
  if (encrypted) console.log(describeEncrypted(encrypted))
}

function describeEncrypted(workspaces: readonly string[]): string {
  if (workspaces.length === 0) return 'readable payloads are taken in every workspace'
  const which = workspaces.includes('*') ? 'every workspace' : `the workspaces ${workspaces.join(', ')}`
  return `encryption is required in ${which}`
}

/** One line with the statements for a user with more rights. The migration itself has succeeded. */
function describeNotGranted({ q, schema }: Names, notGranted: readonly NotGranted[]): string {
  const statements = notGranted.map(({ statement }) => statement)
  const error = notGranted[0]?.error
  const creating = statements.filter((each) => each.startsWith('CREATE ROLE'))
  if (creating.length > 0) {
    return `the roles of schema "${schema}" do not exist, and this user may not create them: as a user with CREATEROLE run \`${creating.join('; ')}\`, then \`customerio-outbox migrate\` again`
  }
  const beyondObjects = statements.filter((each) => !/^(GRANT|REVOKE) .* ON /.test(each))
  if (beyondObjects.length > 0) {
    return `the roles of schema "${schema}" have excess rights that this user may not revoke (${error}): as a superuser run \`${beyondObjects.join('; ')}\``
  }
  return `the roles of schema "${schema}" lack ${notGranted.length} grants that this user may not give (${error}): as the owner of the schema's objects run \`SELECT * FROM ${q}.grant_roles()\``
}

async function printScript(options: Target, json: boolean): Promise<void> {
  const { migrationScript } = await import('../../store/migrate/migrate.ts')
  const sql = await migrationScript(options)
  if (json) console.log(JSON.stringify({ schema: namesOf(options.schema).schema, sql }))
  else console.log(sql === '' ? '-- nothing to do' : sql)
}
