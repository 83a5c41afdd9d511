import { type EventFields, fieldsOf } from '../../intent/plan/plan-fields.ts'
import { schemasOf } from '../../intent/plan/plan.ts'
import { table } from '../output/table.ts'
import { readPlanFile } from '../settings/plan-file.ts'

/** Prints the tracking plan of a module. */
export async function runEvents(file: string, json: boolean): Promise<void> {
  const events = fieldsOf(schemasOf(await readPlanFile(file)))
  if (json) console.log(JSON.stringify({ events }))
  else console.log(render(events))
}

function render(events: readonly EventFields[]): string {
  const list = (fields: readonly string[] | null) => (fields === null ? 'unknown' : fields.join(', ') || '–')
  return table(
    events,
    [
      { head: 'event', cell: ({ name }) => name },
      { head: 'required', cell: ({ required }) => list(required) },
      { head: 'optional', cell: ({ optional }) => list(optional) },
    ],
    'no events',
  )
}
