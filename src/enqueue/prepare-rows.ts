import type { Intent } from '../intent/intent.ts'
import { dedupKeyOf } from '../intent/keys/dedup-key.ts'
import type { ResolvedOptions } from '../intent/options.ts'
import { toPayload } from '../intent/payload.ts'
import { validateIntent } from '../intent/validate/validate-intent.ts'
import type { AppEncryption } from './app-encryption.ts'
import type { EnqueueArguments } from './enqueue-call.ts'
import { sealRows } from './seal-rows.ts'
import { wireArgumentsOf } from './wire-arguments.ts'

/** Checks all intents before any SQL runs, and encrypts them. A promise only if the key is one. */
export function prepareRows(
  given: readonly (() => unknown)[],
  of: 'one' | 'many',
  options: ResolvedOptions,
  encryption: AppEncryption | undefined,
): EnqueueArguments[] | Promise<EnqueueArguments[]> {
  const intents: Intent[] = []
  const rows = given.map((make, index): EnqueueArguments => {
    const intent = validateIntent(make(), of === 'many' ? index : undefined)
    intents.push(intent)
    return {
      operation: intent.operation,
      payload: toPayload(intent),
      wire: wireArgumentsOf(intent),
      dedup_key: dedupKeyOf(options, intent, index) ?? null,
      dedup_window: interval(options.dedupWindowSeconds),
      ordering_key: options.orderingKey ?? null,
      send_after: timestamptz(options.sendAfter),
      expires_at: timestamptz(options.expiresAt),
      workspace: options.workspace,
      on_ambiguous: options.onAmbiguous,
      priority: options.priority,
    }
  })
  return encryption ? sealRows(encryption, intents, rows) : rows
}

/** Writes seconds as an interval of Postgres, which accepts no exponent. Its smallest interval is a microsecond. */
function interval(seconds: number): string {
  return `${Math.max(seconds, 0.000001).toFixed(6)} seconds`
}

function timestamptz(date: Date | undefined): string | null {
  return date?.toISOString() ?? null
}
