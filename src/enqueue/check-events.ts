import { checkEvent, type PlanChecks } from '../intent/plan/check-event.ts'
import type { MakeIntent } from './clients/client-types.ts'

type Make = () => unknown

/**
 * Checks the events of intents against the plan, in order and before any SQL runs.
 *
 * @returns functions that return the intents with the data of their schemas. A promise only if a schema is asynchronous, so
 * that calls of `enqueue` which the caller does not await keep their order.
 * @throws {InvalidIntentError} for the first event that the plan refuses.
 */
export function checkEvents(
  plan: PlanChecks,
  given: readonly MakeIntent[],
  of: 'one' | 'many',
): readonly Make[] | Promise<readonly Make[]> {
  const check = (n: number) => checkEvent(plan, given[n]?.(), of === 'many' ? n : undefined)
  const checked: Make[] = []
  for (let n = 0; n < given.length; n++) {
    const intent = check(n)
    if (intent instanceof Promise) return checkRest(intent, n)
    checked.push(() => intent)
  }
  return checked

  async function checkRest(first: Promise<unknown>, n: number): Promise<readonly Make[]> {
    const intent = await first
    checked.push(() => intent)
    for (let next = n + 1; next < given.length; next++) {
      const settled = await check(next)
      checked.push(() => settled)
    }
    return checked
  }
}
