import { Command } from 'commander'
import { VERSION } from '../version.ts'
import { addActionsCommands } from './commands/actions.ts'
import { addBackfillCommand } from './commands/backfill.ts'
import { addDeadCommand } from './commands/dead.ts'
import { addDemoCommand } from './commands/demo.ts'
import { addDrainCommand } from './commands/drain.ts'
import { addDoctorCommand } from './commands/doctor.ts'
import { addEraseCommand } from './commands/erase.ts'
import { addEventsCommand } from './commands/events.ts'
import { addFindCommand } from './commands/find.ts'
import { addPendingCommand } from './commands/pending.ts'
import { addReplayCommand } from './commands/replay.ts'
import { reportFailure } from './errors.ts'
import { exitOnError } from './process/fatal.ts'
import { addMigrateCommand } from './commands/migrate.ts'
import { addExamples } from './commands/shared-options.ts'
import { addPauseCommand } from './commands/pause.ts'
import { addRelayCommand } from './commands/relay.ts'
import { addResumeCommand } from './commands/resume.ts'
import { addStatusCommand } from './commands/status.ts'

const HELP = `
Environment:
  DATABASE_URL                    Postgres database of the outbox
  OUTBOX_LISTEN_URL               direct connection for LISTEN, if DATABASE_URL
                                  is a pooler in transaction mode
  OUTBOX_SCHEMA                   schema of the outbox (default: outbox)
  OUTBOX_CONFIG                   config file with workspaces, as relay --config
  OUTBOX_ENCRYPTION_KEYS          keys of encrypted payloads, as
                                  id:base64,id:base64
  LOG_LEVEL                       fatal, error, warn, info, debug, trace or
                                  silent (default: info; of drain: error)

Environment of the workspace "default":
  CUSTOMERIO_SITE_ID              Track API: site id
  CUSTOMERIO_TRACK_API_KEY        Track API: key
  CUSTOMERIO_APP_API_KEY          App API: key, for messages and broadcasts
  CUSTOMERIO_PIPELINES_WRITE_KEY  Pipelines API: write key
  CUSTOMERIO_REGION               us or eu (default: us)
  CUSTOMERIO_TRACK_URL            other origins than Customer.io's, for a proxy
  CUSTOMERIO_APP_URL              or a test
  CUSTOMERIO_PIPELINES_URL

Exit status: 0 success, 1 failure, 2 a setting is missing or wrong.
"drain --help" has more for drain.`

function createProgram(): Command {
  const program = new Command('customerio-outbox')
    .description('A transactional outbox for Postgres apps that delivers to Customer.io.')
    .version(VERSION)
    .exitOverride()
    .configureHelp({ minWidthToWrap: 30 }) // the long flags of relay leave 37 of 80 columns
    .configureOutput({ outputError: (text, write) => write(`customerio-outbox: ${oneLine(text)}\n`) })
    .addHelpText('after', HELP)
  addMigrateCommand(program)
  addRelayCommand(program)
  addDrainCommand(program)
  addStatusCommand(program)
  addPauseCommand(program)
  addResumeCommand(program)
  addDoctorCommand(program)
  addFindCommand(program)
  addDeadCommand(program)
  addPendingCommand(program)
  addReplayCommand(program)
  addEraseCommand(program)
  addActionsCommands(program)
  addBackfillCommand(program)
  addEventsCommand(program)
  addDemoCommand(program)
  addExamples(program, [
    ['try it: a shop, an outage and a killed relay, on a Postgres of its own', 'demo'],
    ['set up the schema, then deliver', 'migrate && customerio-outbox relay --port 8080'],
    ['deliver from cron or a function, without a relay', 'drain --for 50s'],
    ['watch the backlog and the breakers', 'status --watch'],
    ['find a problem and its next step', 'doctor'],
  ])
  return program
}

/** commander puts its suggestion (`Did you mean …?`) on a line of its own. */
function oneLine(text: string): string {
  return text
    .replace(/^error: /, '')
    .trim()
    .replace(/\s*\n\s*/g, ' ')
}

/** Runs the command of this process' arguments, and sets its exit status. */
export async function runProgram(): Promise<void> {
  process.on('uncaughtException', exitOnError)
  process.stdout.on('error', exitOnError)
  try {
    await createProgram().parseAsync()
  } catch (error) {
    process.exitCode = reportFailure(error)
  }
}
