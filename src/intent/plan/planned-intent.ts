import type { EventIntent, OtherIntent } from '../intent.ts'
import type { JsonData } from '../json-types.ts'
import type { EventInput, EventPlan } from './event-schema.ts'

/**
 * An intent that an outbox with the plan `Events` accepts. Without a plan (`never`) an event may have any name.
 *
 * `Data` and `Name` are inferred from the intent. If `Strict` is false, an event may also have a name that the plan does not
 * have.
 */
export type PlannedIntent<Events extends EventPlan, Strict extends boolean, Data, Name extends string> =
  | OtherIntent<JsonData<Data>>
  | ([Events] extends [never]
      ? EventIntent<JsonData<Data>>
      : PlannedEvent<Events> | (Strict extends true ? never : UnplannedEvent<Events, Data, Name>))

/** An array of {@link PlannedIntent}. The data of each is inferred by itself. */
export type PlannedIntents<
  Events extends EventPlan,
  Strict extends boolean,
  Data extends readonly unknown[],
> = readonly [...{ [Index in keyof Data]: PlannedIntent<Events, Strict, Data[Index], string> }]

type PlannedEvent<Events extends EventPlan> = {
  [Name in keyof Events & string]: EventWith<EventInput<Events[Name]>, Name>
}[keyof Events & string]

/** The data may be absent only if `{}` is data of the event. */
type EventWith<Input, Name extends string> =
  Record<never, never> extends Input
    ? EventIntent<Input, Name, Input>
    : EventIntent<Input, Name, Input> &
        ({ readonly data: Input } | { readonly message: { readonly properties: Input } })

type UnplannedEvent<Events extends EventPlan, Data, Name extends string> = Name extends keyof Events
  ? never
  : EventIntent<JsonData<Data>, Name>
