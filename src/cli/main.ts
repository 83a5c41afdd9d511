#!/usr/bin/env node
import './process/node-version.ts' // before everything else
import './process/heap-limits.ts' // before what allocates
import { Command } from 'commander'
import { VERSION } from '../version.ts'
import { addDemoCommand } from './commands/demo.ts'
import { addDoctorCommand } from './commands/doctor.ts'
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
  DATABASE_URL                     Postgres database of the outbox
  OUTBOX_LISTEN_URL                a direct connection for LISTEN, where DATABASE_URL is a pooler
  OUTBOX_SCHEMA                    its schema (default: outbox)
  OUTBOX_CONFIG                    config file of the relay's workspaces, as relay --config
  CUSTOMERIO_SITE_ID               credentials of the relay's workspace "default": site id
  CUSTOMERIO_TRACK_API_KEY         and Track API key,
  CUSTOMERIO_APP_API_KEY           App API key (messages, broadcasts),
  CUSTOMERIO_PIPELINES_WRITE_KEY   write key of the Pipelines API
  CUSTOMERIO_REGION                us (default) or eu
  CUSTOMERIO_TRACK_URL             origins in place of Customer.io's, for a proxy or a test
  CUSTOMERIO_APP_URL
  CUSTOMERIO_PIPELINES_URL
  LOG_LEVEL                        fatal, error, warn, info (default), debug, trace or silent

Exit status: 0 done, 1 failed, 2 a setting is missing or wrong.`

function createProgram(): Command {
  const program = new Command('customerio-outbox')
    .description('A transactional outbox for Postgres apps that delivers to Customer.io.')
    .version(VERSION)
    .exitOverride()
    .configureOutput({
      // One line, also where commander adds a suggestion.
      outputError: (text, write) =>
        write(
          `customerio-outbox: ${text
            .replace(/^error: /, '')
            .trim()
            .replace(/\s*\n\s*/g, ' ')}\n`,
        ),
    })
    .addHelpText('after', HELP)
  addMigrateCommand(program)
  addRelayCommand(program)
  addStatusCommand(program)
  addPauseCommand(program)
  addResumeCommand(program)
  addDoctorCommand(program)
  addDemoCommand(program)
  addExamples(program, [
    ['see it work: a shop, an outage and a killed relay, on a Postgres of its own', 'demo'],
    ['set up, run, look', 'migrate && customerio-outbox relay --port 8080'],
    ['what waits, and why', 'status --watch'],
    ['what is wrong, and what to do', 'doctor'],
  ])
  return program
}

process.on('uncaughtException', exitOnError)
process.stdout.on('error', exitOnError)

try {
  await createProgram().parseAsync()
} catch (error) {
  process.exitCode = reportFailure(error)
}
