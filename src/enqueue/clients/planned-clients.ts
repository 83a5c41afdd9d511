import type { PipelinesClient, TrackClient } from 'customerio-node'
import type { EventInput, EventPlan } from '../../intent/plan/event-schema.ts'
import type { EnqueueResult } from '../results.ts'

/** `Methods` with the methods of `Planned` instead of their own, if there is a plan. */
export type WithPlan<Events extends EventPlan, Methods, Planned> = [Events] extends [never]
  ? Methods
  : Omit<Methods, keyof Planned> & Planned

/** `track` and `trackAnonymous` of customerio-node's `TrackClient`, for the events of a plan. */
export interface PlannedTrackMethods<Events extends EventPlan, Strict extends boolean> {
  track<const Name extends string>(
    customerId: Parameters<TrackClient['track']>[0],
    data: TrackData<Events, Strict, Name> | View,
  ): Promise<EnqueueResult>
  trackAnonymous<const Name extends string>(
    anonymousId: Parameters<TrackClient['trackAnonymous']>[0],
    data: TrackData<Events, Strict, Name>,
  ): Promise<EnqueueResult>
}

/** `track` of customerio-node's `PipelinesClient`, for the events of a plan. */
export interface PlannedPipelinesMethods<Events extends EventPlan, Strict extends boolean> {
  track<const Name extends string>(payload: PipelinesData<Events, Strict, Name>): Promise<EnqueueResult>
}

type TrackData<Events extends EventPlan, Strict extends boolean, Name extends string> =
  | {
      [Each in keyof Events & string]: Fields<{ readonly name: Each }, 'data', EventInput<Events[Each]>> &
        TrackFields
    }[keyof Events & string]
  | Unplanned<Events, Strict, Name, { readonly name: Name; readonly data?: object } & TrackFields>

interface TrackFields {
  readonly type?: 'event'
  readonly id?: string
  readonly timestamp?: number
  readonly anonymous_id?: string | number
}

/** A view of a page or a screen: no event of a plan. */
interface View {
  readonly type: 'page' | 'screen'
  readonly name: string
  readonly data?: object
  readonly id?: string
  readonly timestamp?: number
}

type Payload = Parameters<PipelinesClient['track']>[0]
type PipelinesFields = Payload extends infer Each
  ? Each extends unknown
    ? Omit<Each, 'event' | 'properties' | 'messageId'>
    : never
  : never

type PipelinesData<Events extends EventPlan, Strict extends boolean, Name extends string> =
  | {
      [Each in keyof Events & string]: Fields<
        { readonly event: Each },
        'properties',
        EventInput<Events[Each]>
      > &
        PipelinesFields
    }[keyof Events & string]
  | Unplanned<Events, Strict, Name, { readonly event: Name; readonly properties?: object } & PipelinesFields>

type Unplanned<Events, Strict extends boolean, Name, Data> = Strict extends true
  ? never
  : Name extends keyof Events
    ? never
    : Data

/** The fields with the data, which may be absent only if `{}` is data of the event. */
type Fields<Named, Key extends string, Input> = Named &
  (Record<never, never> extends Input
    ? { readonly [Each in Key]?: Input }
    : { readonly [Each in Key]: Input })
