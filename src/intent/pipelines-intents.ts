/**
 * Intents for the Pipelines API. The payloads are types of customerio-node without `messageId`: the relay sends the id of
 * the intent, the same for every retry and replay. `traits` and `properties` may have the type of an
 * interface.
 */
import type {
  AliasPayload,
  GroupPayload,
  IdentifyPayload,
  PagePayload,
  ScreenPayload,
  TrackPayload,
} from 'customerio-node'

/** A payload with the fields of `Own` instead of its own. */
type Message<Payload, Own = unknown> = (Payload extends unknown
  ? Omit<Payload, 'messageId' | keyof Own>
  : never) &
  Own & { readonly messageId?: never }

type Traits = { readonly traits?: object }
type Properties = { readonly properties?: object }

export type PipelinesIdentifyIntent = {
  readonly operation: 'pipelines.identify'
  readonly message: Message<IdentifyPayload, Traits>
}

export type PipelinesTrackIntent<Data = object, Name extends string = string> = {
  readonly operation: 'pipelines.track'
  readonly message: Message<TrackPayload, { readonly event: Name; readonly properties?: Data }>
}

export type PipelinesPageIntent = {
  readonly operation: 'pipelines.page'
  readonly message: Message<PagePayload, Properties>
}

export type PipelinesScreenIntent = {
  readonly operation: 'pipelines.screen'
  readonly message: Message<ScreenPayload, Properties>
}

export type PipelinesGroupIntent = {
  readonly operation: 'pipelines.group'
  readonly message: Message<GroupPayload, Traits>
}

/** Merges two people, as `mergeCustomers` does. The relay sends it in a request of its own. */
export type PipelinesAliasIntent = {
  readonly operation: 'pipelines.alias'
  readonly message: Message<AliasPayload>
}

export type PipelinesIntent =
  | PipelinesIdentifyIntent
  | PipelinesTrackIntent
  | PipelinesPageIntent
  | PipelinesScreenIntent
  | PipelinesGroupIntent
  | PipelinesAliasIntent
