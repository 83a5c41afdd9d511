import type { FakeRequest, Misbehaviour, Refuse } from './misbehaviour.ts'
import type { FakeOperation, Refusal } from './operation.ts'

/** The misbehaviours that replace or change the answer of a request. At most one of them applies to a request. */
export type DecidingMisbehaviour = Exclude<Misbehaviour, { kind: 'latency' | 'refuse' }>

/** The misbehaviours that apply to one request. */
export interface Verdict {
  /** Milliseconds. */
  readonly latencyMs: number
  readonly deciding: DecidingMisbehaviour | undefined
  /** Returns the refusal of one operation, if it is refused. Undefined if no `refuse` applies. */
  readonly refuse: ((operation: FakeOperation) => Refusal | undefined) | undefined
}

interface Active {
  readonly misbehaviour: Misbehaviour
  left: number
}

const noFaults: Verdict = { latencyMs: 0, deciding: undefined, refuse: undefined }

export class ActiveMisbehaviours {
  #active: Active[] = []

  /** Returns a function that ends the misbehaviour. */
  add(misbehaviour: Misbehaviour): () => void {
    check(misbehaviour)
    const active = { misbehaviour, left: misbehaviour.times ?? Number.POSITIVE_INFINITY }
    this.#active = [...this.#active, active]
    return () => {
      this.#active = this.#active.filter((each) => each !== active)
    }
  }

  clear(): void {
    this.#active = []
  }

  /** Selects the misbehaviours of a request, and counts the request against their `times`. */
  judge(request: FakeRequest): Verdict {
    if (this.#active.length === 0) return noFaults
    let latencyMs = 0
    let deciding: DecidingMisbehaviour | undefined
    const refusing: Refuse[] = []
    for (const active of this.#active) {
      const { misbehaviour } = active
      const decides = misbehaviour.kind !== 'latency' && misbehaviour.kind !== 'refuse'
      if ((decides && deciding !== undefined) || !affects(misbehaviour, request)) continue
      active.left -= 1
      if (misbehaviour.kind === 'latency') latencyMs += misbehaviour.ms
      else if (misbehaviour.kind === 'refuse') refusing.push(misbehaviour)
      else deciding = misbehaviour
    }
    this.#active = this.#active.filter(({ left }) => left > 0)
    return { latencyMs, deciding, refuse: refusing.length > 0 ? refuseBy(refusing) : undefined }
  }
}

function affects(misbehaviour: Misbehaviour, request: FakeRequest): boolean {
  if (misbehaviour.match !== undefined && !misbehaviour.match(request)) return false
  if (misbehaviour.kind === 'refuse' && request.api === 'app') return false
  switch (misbehaviour.kind) {
    case 'refuse':
    case 'badRequest':
    case 'failOn':
      return request.operations.some((operation) => Boolean(misbehaviour.operation(operation)))
    default:
      return true
  }
}

function refuseBy(refusing: readonly Refuse[]): (operation: FakeOperation) => Refusal | undefined {
  return (operation) => {
    for (const each of refusing) {
      const refusal = each.operation(operation)
      if (refusal) return completeRefusal(refusal === true ? {} : refusal)
    }
    return undefined
  }
}

export function completeRefusal(refusal: Partial<Refusal>): Refusal {
  return { reason: 'invalid', field: '', message: 'refused by the test', ...refusal }
}

function check(misbehaviour: Misbehaviour): void {
  const { times } = misbehaviour
  if (times !== undefined && !(Number.isInteger(times) && times >= 1))
    throw new TypeError(`Expected times to be a whole number of at least 1, got ${times}`)
  if ('ms' in misbehaviour) checkMilliseconds('ms', misbehaviour.ms)
  if ('everyMs' in misbehaviour) checkMilliseconds('everyMs', misbehaviour.everyMs)
  if (misbehaviour.kind === 'serverError' || misbehaviour.kind === 'failOn') {
    const { status = 500 } = misbehaviour
    if (!(Number.isInteger(status) && status >= 500 && status <= 599))
      throw new TypeError(`Expected status to be between 500 and 599, got ${status}`)
  }
}

export function checkMilliseconds(name: string, value: number): void {
  if (!(Number.isFinite(value) && value >= 0))
    throw new TypeError(`Expected ${name} to be a number of milliseconds, at least 0, got ${value}`)
}
