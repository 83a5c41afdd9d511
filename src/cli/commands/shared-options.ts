import { type Command, Option } from 'commander'

/** Adds the flags of the database. A flag wins over its environment variable. */
export function addDatabaseOptions(command: Command): Command {
  return command
    .addOption(
      new Option('--database-url <url>', 'Postgres database of the outbox (environment: DATABASE_URL)'),
    )
    .addOption(
      new Option('--schema <name>', 'schema of the outbox (environment: OUTBOX_SCHEMA; default: outbox)'),
    )
}

export function addJsonOption(command: Command): Command {
  return command.option('--json', 'print JSON instead of text')
}

/** Appends examples to a command's help. */
export function addExamples(command: Command, examples: readonly (readonly [string, string])[]): Command {
  const lines = examples.map(([what, line]) => `  # ${what}\n  $ customerio-outbox ${line}`)
  return command.addHelpText('after', `\nExamples:\n${lines.join('\n\n')}\n`)
}
