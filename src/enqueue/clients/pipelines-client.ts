import type { PipelinesClient } from 'customerio-node'
import { fail } from '../../intent/errors.ts'
import type { Intent } from '../../intent/intent.ts'
import type { EventPlan } from '../../intent/plan/event-schema.ts'
import { toJsonValue, toJsonFields } from './to-json.ts'
import type { PlannedPipelinesMethods, WithPlan } from './planned-clients.ts'
import { type Enqueuing, type Sink, unchecked } from './client-types.ts'

type Methods = Enqueuing<
  Pick<PipelinesClient, 'identify' | 'track' | 'page' | 'screen' | 'group' | 'alias' | 'batch'>
>

/**
 * The methods of customerio-node's `PipelinesClient` that can be enqueued. Each resolves when the intent is stored in the
 * transaction; see `Outbox.pipelinesClient`. A `messageId` is refused: every request sends the id of the intent instead.
 */
export type OutboxPipelinesClient<Events extends EventPlan = never, Strict extends boolean = true> = WithPlan<
  Events,
  Methods,
  PlannedPipelinesMethods<Events, Strict>
>

export function createPipelinesClient({ one, many }: Sink): OutboxPipelinesClient {
  const call = (type: string) => (payload: unknown) => one(() => message(type, toJsonValue(payload)))
  return {
    identify: call('identify'),
    track: call('track'),
    page: call('page'),
    screen: call('screen'),
    group: call('group'),
    alias: call('alias'),
    batch: (items) =>
      many(
        Array.isArray(items)
          ? items.map((item) => () => batchItem(item))
          : [() => fail({ operation: 'pipelines.batch' }, 'items', 'must be an array')],
      ),
  }
}

function batchItem(item: unknown): Intent {
  const { type, ...payload } = toJsonFields(item) ?? {}
  return message(String(type), payload)
}

function message(type: string, payload: unknown): Intent {
  return unchecked({ operation: `pipelines.${type}`, message: payload })
}
