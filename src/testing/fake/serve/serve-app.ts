import { type Answer, refused, tooManyRequests } from '../http/answers.ts'
import type { AppRequest } from '../routes/app-routes.ts'
import { checkSend } from '../checks/check-send.ts'
import { audienceOf, checkTrigger } from '../checks/check-trigger.ts'
import type { Arrival } from '../model/operation.ts'
import type { FakeLimits } from '../model/rate-limits.ts'
import type { RecordedState } from '../state/recorded-state.ts'

/** Accepts or refuses one transactional message. */
export function serveSend(
  state: RecordedState,
  { sendKind, body }: AppRequest & { kind: 'send' },
  limits: FakeLimits,
  arrival: Arrival,
): Answer {
  if (!state.limiter.admitsSend(limits, arrival.receivedAt)) return tooManyRequests
  const refusal = checkSend(sendKind, body, arrival.receivedAt)
  if (refusal !== undefined) {
    state.counts.refused += 1
    return refused('v1Error', refusal.reason === 'too_large' ? 413 : 400, refusal)
  }
  const delivery_id = state.app.send(sendKind, body, arrival)
  const queued_at = Math.floor(arrival.receivedAt / 1_000)
  const scheduled = typeof body.send_at === 'number' && body.send_at > queued_at
  const answer = { delivery_id, queued_at, ...(scheduled ? { send_at: body.send_at } : {}) }
  return { status: 200, body: JSON.stringify(answer) }
}

/** Accepts or refuses a broadcast's trigger. */
export function serveTrigger(
  state: RecordedState,
  { broadcastId, body }: AppRequest & { kind: 'trigger' },
  limits: FakeLimits,
  arrival: Arrival,
): Answer {
  if (!state.limiter.admitsTrigger(limits, arrival.receivedAt)) return tooManyRequests
  const refusal = checkTrigger(body)
  if (refusal !== undefined) {
    state.counts.refused += 1
    return refused('trigger', 422, refusal)
  }
  const id = state.app.trigger(broadcastId, audienceOf(body), body, arrival)
  return { status: 200, body: JSON.stringify({ id }) }
}
