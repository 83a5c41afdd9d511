import type {
  PipelinesAliasIntent,
  PipelinesGroupIntent,
  PipelinesIdentifyIntent,
  PipelinesPageIntent,
  PipelinesScreenIntent,
  PipelinesTrackIntent,
} from '../pipelines-intents.ts'

/**
 * A builder for each call of the Pipelines API. Each takes the payload of customerio-node without `messageId`: the relay
 * sends the id of the intent as `messageId`. `userId`, `anonymousId` or both name the person.
 *
 * @example
 * ```ts
 * import { intents } from 'customerio-outbox'
 *
 * await outbox.enqueue(tx, intents.pipelines.track({ userId: user.id, event: 'order_placed', properties: { total: 42 } }))
 * ```
 */
export const pipelines = {
  /** Creates or updates a person. `traits` are the attributes. */
  identify: (message: PipelinesIdentifyIntent['message']): PipelinesIdentifyIntent => ({
    operation: 'pipelines.identify',
    message,
  }),
  /** Records an `event` of a person with its `properties`. */
  track: <const Message extends PipelinesTrackIntent['message']>(
    message: Message,
  ): { readonly operation: 'pipelines.track'; readonly message: Message } => ({
    operation: 'pipelines.track',
    message,
  }),
  /** Records a page view of a person. */
  page: (message: PipelinesPageIntent['message']): PipelinesPageIntent => ({
    operation: 'pipelines.page',
    message,
  }),
  /** Records a screen view of a person in a mobile app. */
  screen: (message: PipelinesScreenIntent['message']): PipelinesScreenIntent => ({
    operation: 'pipelines.screen',
    message,
  }),
  /** Adds a person to a group. `traits` are the attributes of the group. */
  group: (message: PipelinesGroupIntent['message']): PipelinesGroupIntent => ({
    operation: 'pipelines.group',
    message,
  }),
  /** Merges `previousId` into `userId`. */
  alias: (message: PipelinesAliasIntent['message']): PipelinesAliasIntent => ({
    operation: 'pipelines.alias',
    message,
  }),
} as const
