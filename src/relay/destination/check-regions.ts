import { checkRegion } from '../../customerio/check-region.ts'
import type { RelayEvents } from '../events.ts'
import type { ResolvedWorkspace } from '../options-schema.ts'
import { WrongRegionError } from '../wrong-region-error.ts'

type Unchecked = RelayEvents['regionUnchecked'][0]

/**
 * Checks the region of each workspace that has Track API credentials. Only an answer that names another region is an error.
 * Without an answer the relay starts, and delivery shows whether the region is right.
 *
 * @param timeoutMs Milliseconds for each request. All requests are sent at once.
 * @param onUnchecked Called if Customer.io did not answer with a region, or refused the credentials.
 * @throws {WrongRegionError} if a workspace is in another region than configured.
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
          `Expected the region of workspace ${workspace} to be ${actual}, where its account is, got ${configured}`,
        )
        return
      }
      onUnchecked({ workspace, reason: check.kind, message: check.message })
    }),
  )
  if (wrong.size > 0) throw new WrongRegionError(wrong)
}
