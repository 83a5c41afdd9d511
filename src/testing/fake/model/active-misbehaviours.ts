import type { FakeRequest, Misbehaviour, Refuse } from './misbehaviour.ts'
import type { FakeOperation, Refusal } from './operation.ts'

/** The misbehaviours that replace or deform the answer of a request; at most one does. */
export type Deciding = Exclude<Misbehaviour, { kind: 'latency' | 'refuse' }>

/** What a request will suffer. */
export interface Verdict {
  /** Milliseconds. */
  readonly latencyMs: number
  readonly deciding: Deciding | undefined
  /** Looks at one operation; undefined where no `refuse` is active. */
  readonly refuse: ((operation: FakeOperation) => Refusal | undefined) | undefined
}

interface Active {
  readonly misbehaviour: Misbehaviour
  left: number
}

const spared: Verdict = { latencyMs: 0, deciding: undefined, refuse: undefined }

export class ActiveMisbehaviours {
  #active: Active[] = []

  /** Returns the function that ends it. */
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

  /** Decides what the request will suffer, and counts it against `times`. */
  judge(request: FakeRequest): Verdict {
    if (this.#active.length === 0) return spared
    let latencyMs = 0
    let deciding: Deciding | undefined
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
  return { reason: 'invalid', field: '', message: 'refused on request of the test', ...refusal }
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
    throw new TypeError(`Expected ${name} to be milliseconds of at least 0, got ${value}`)
}
