import type { Command } from 'commander'
import { addExamples, addJsonOption } from './shared-options.ts'

/** `customerio-outbox events` */
export function addEventsCommand(program: Command): void {
  const command = program
    .command('events <file>')
    .description(
      'print the tracking plan of a module, JavaScript or TypeScript: its export events, else its default export',
    )
    .action(async (file: string, flags) => {
      const { runEvents } = await import('../run/run-events.ts')
      await runEvents(file, Boolean(flags.json))
    })
  addJsonOption(command)
  addExamples(command, [
    ['as a table', 'events tracking-plan.ts'],
    ['the names, for a script', "events tracking-plan.ts --json | jq -r '.events[].name'"],
  ])
}
