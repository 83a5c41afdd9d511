const REF = '"ref":'
const ID = '"id":"'

/**
 * Calls `found` for every event in a request's body, single or batch. Reads only the ref and the event id next to it,
 * because parsing the whole JSON would cost as much CPU as the measured peers.
 */
export function readRefs(body: string, found: (ref: number, id: string) => void): void {
  let from = 0
  for (let at = body.indexOf(REF); at >= 0; at = body.indexOf(REF, at + REF.length)) {
    found(numberAt(body, at + REF.length), idBefore(body, at, from))
    from = at
  }
}

function numberAt(body: string, start: number): number {
  let value = 0
  for (let at = start; ; at++) {
    const digit = body.charCodeAt(at) - 48
    if (!(digit >= 0 && digit <= 9)) return at === start ? -1 : value
    value = value * 10 + digit
  }
}

/** The nearest id before the ref that is as long as a ULID. The person's id is shorter. */
function idBefore(body: string, at: number, from: number): string {
  for (let start = body.lastIndexOf(ID, at); start >= from; start = body.lastIndexOf(ID, start - 1)) {
    const end = body.indexOf('"', start + ID.length)
    if (end - start - ID.length === 26) return body.slice(start + ID.length, end)
    if (start === 0) break
  }
  return ''
}
