import type { ResolvedWorkspace } from '../options-schema.ts'

const DEFAULT_DAYS = 30

/** For how many days a workspace keeps the payloads of delivered intents. Undefined: it does not keep them. */
export function payloadDaysOf({
  deliveredPayloads,
  deliveredPayloadDays = DEFAULT_DAYS,
}: ResolvedWorkspace): number | undefined {
  return deliveredPayloads === 'keep' ? deliveredPayloadDays : undefined
}

/** The different numbers of days for which workspaces keep payloads. */
export function allPayloadDays(workspaces: Readonly<Record<string, ResolvedWorkspace>>): number[] {
  const days = Object.values(workspaces).flatMap((workspace) => payloadDaysOf(workspace) ?? [])
  return [...new Set(days)]
}
