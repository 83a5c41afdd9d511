import type {
  PipelinesAliasIntent,
  PipelinesGroupIntent,
  PipelinesIdentifyIntent,
  PipelinesPageIntent,
  PipelinesScreenIntent,
  PipelinesTrackIntent,
} from '../pipelines-intents.ts'

/**
 * A builder for each call of the Pipelines API. `message`: customerio-node's payload without `messageId`, which
 * is the intent's id. `userId`, `anonymousId` or both say who it is about.
 */
export const pipelines = {
  /** Creates or updates a person; `traits` are their attributes. */
  identify: (message: PipelinesIdentifyIntent['message']): PipelinesIdentifyIntent => ({
    operation: 'pipelines.identify',
    message,
  }),
  /** Records an `event` of a person, with its `properties`. */
  track: (message: PipelinesTrackIntent['message']): PipelinesTrackIntent => ({
    operation: 'pipelines.track',
    message,
  }),
  /** Records a page view of a person. */
  page: (message: PipelinesPageIntent['message']): PipelinesPageIntent => ({
    operation: 'pipelines.page',
    message,
  }),
  /** Records a mobile screen view of a person. */
  screen: (message: PipelinesScreenIntent['message']): PipelinesScreenIntent => ({
    operation: 'pipelines.screen',
    message,
  }),
  /** Adds a person to a group, with the group's `traits`. */
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
