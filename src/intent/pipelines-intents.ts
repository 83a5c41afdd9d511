/**
 * Intents for the Pipelines API. The payloads are types of customerio-node without `messageId`: the relay sends the id of
 * the intent, the same for every retry and replay.
 */
import type {
  AliasPayload,
  GroupPayload,
  IdentifyPayload,
  PagePayload,
  ScreenPayload,
  TrackPayload,
} from 'customerio-node'

type Message<Payload> = Payload & { readonly messageId?: never }

export type PipelinesIdentifyIntent = {
  readonly operation: 'pipelines.identify'
  readonly message: Message<IdentifyPayload>
}

export type PipelinesTrackIntent = {
  readonly operation: 'pipelines.track'
  readonly message: Message<TrackPayload>
}

export type PipelinesPageIntent = {
  readonly operation: 'pipelines.page'
  readonly message: Message<PagePayload>
}

export type PipelinesScreenIntent = {
  readonly operation: 'pipelines.screen'
  readonly message: Message<ScreenPayload>
}

export type PipelinesGroupIntent = {
  readonly operation: 'pipelines.group'
  readonly message: Message<GroupPayload>
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
