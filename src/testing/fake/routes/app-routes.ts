import { type FakeSendKind, sendKinds } from '../model/app-request.ts'
import { type FakeOperation, invalid, isRecord, type Refusal, tooLarge } from '../model/operation.ts'
import { publishedLimits } from '../model/published-limits.ts'

type Body = Readonly<Record<string, unknown>>

/** A request of the App API. `operations` holds its one send or trigger in the form that predicates see. */
export type AppRequest =
  | {
      readonly kind: 'send'
      readonly form: 'v1Error'
      readonly sendKind: FakeSendKind
      readonly body: Body
      readonly operations: readonly [FakeOperation]
    }
  | {
      readonly kind: 'trigger'
      readonly form: 'trigger'
      readonly broadcastId: number
      readonly body: Body
      readonly operations: readonly [FakeOperation]
    }
  | {
      readonly kind: 'malformed'
      readonly form: 'v1Error' | 'trigger'
      readonly status: 400 | 413
      readonly refusal: Refusal
    }
  | { readonly kind: 'unknown' }

const triggers = /^\/v1\/campaigns\/([1-9]\d{0,15})\/triggers$/

/** Whether the path is a broadcast's trigger. Its body has a higher limit: it can carry data for every recipient. */
export function isTriggerPath(path: string): boolean {
  return triggers.test(path)
}

/** Routes a request of the App API. A body of more than `keptBytes` was not kept and cannot be read. */
export function parseApp(
  method: string,
  path: string,
  bytes: number,
  keptBytes: number,
  read: () => unknown,
): AppRequest {
  if (method !== 'POST') return { kind: 'unknown' }
  const broadcast = triggers.exec(path)
  const sendKind = sendKinds.find((kind) => path === `/v1/send/${kind}`)
  if (broadcast === null && sendKind === undefined) return { kind: 'unknown' }
  const form = broadcast === null ? 'v1Error' : 'trigger'
  if (bytes > keptBytes) {
    const limit = broadcast === null ? keptBytes : publishedLimits.broadcastBytes
    return { kind: 'malformed', form, status: 413, refusal: tooLarge('', `the body exceeds ${limit} bytes`) }
  }
  const body = read()
  if (!isRecord(body))
    return { kind: 'malformed', form, status: 400, refusal: invalid('', 'the body must be a JSON object') }
  if (sendKind !== undefined)
    return { kind: 'send', form: 'v1Error', sendKind, body, operations: [{ kind: sendKind, body }] }
  const broadcastId = Number(broadcast?.[1])
  return {
    kind: 'trigger',
    form: 'trigger',
    broadcastId,
    body,
    operations: [{ kind: 'broadcast', broadcastId, body }],
  }
}
