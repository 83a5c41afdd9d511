import { checkRegion } from '../../customerio/check-region.ts'
import type { RelayEvents } from '../events.ts'
import type { ResolvedWorkspace } from '../options.ts'
import { WrongRegionError } from '../wrong-region-error.ts'

type Unchecked = RelayEvents['regionUnchecked'][0]

/**
 * Asks for each workspace of the Track API in which region it lives. Only what the server answers counts: what
 * cannot be told now, delivery will tell.
 *
 * @param timeoutMs Of one request; all are made at once.
 * @throws WrongRegionError
 */
export async function checkRegions(
  workspaces: Readonly<Record<string, ResolvedWorkspace>>,
  timeoutMs: number,
  onUnchecked: (unchecked: Unchecked) => void,
): Promise<void> {
  const wrong = new Map<string, string>()
  await Promise.all(
    Object.entries(workspaces).map(async ([workspace, { siteId, trackApiKey, ...rest }]) => {
      if (siteId === undefined || trackApiKey === undefined) return
      const check = await checkRegion({ ...rest, siteId, trackApiKey }, timeoutMs)
      if (check.kind === 'ok') return
      if (check.kind === 'wrong_region') {
        const { configured, actual } = check
        wrong.set(
          workspace,
          `workspace ${workspace}: it lives in region ${actual}, and its region is set to ${configured}: set it to ${actual}`,
        )
        return
      }
      onUnchecked({ workspace, reason: check.kind, message: check.message })
    }),
  )
  if (wrong.size > 0) throw new WrongRegionError(wrong)
}
