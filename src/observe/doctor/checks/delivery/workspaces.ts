import { checkRegion } from '../../../../customerio/check-region.ts'
import type { WorkspaceOptions } from '../../../../relay/options.ts'
import { ANSWER_MS, type Check, type Installation } from '../../check.ts'
import { failure, type Finding, ok, warning } from '../../finding.ts'

/** Asks Customer.io for the region of each workspace, as a relay does when it starts. The answer also checks the key. */
export const workspaces: Check = { name: 'workspaces', run: checkWorkspaces }

async function checkWorkspaces({ workspaces }: Installation): Promise<readonly Finding[]> {
  const all = Object.entries(workspaces)
  if (all.length === 0) {
    return [ok('not checked: no credentials here; set those of a relay, or pass its --config')]
  }
  return Promise.all(all.map(([name, workspace]) => checkWorkspace(name, workspace)))
}

async function checkWorkspace(
  name: string,
  { siteId, trackApiKey, region, trackUrl }: WorkspaceOptions,
): Promise<Finding> {
  if (siteId === undefined || trackApiKey === undefined) {
    return ok(`${name}: not checked, because it has no credentials of the Track API`)
  }
  const check = await checkRegion({ siteId, trackApiKey, region, trackUrl }, ANSWER_MS)
  switch (check.kind) {
    case 'ok':
      return ok(`${name}: Customer.io accepts the Track API key; region ${check.region}`)
    case 'wrong_region':
      return failure(
        `${name}: the account is in region ${check.actual}, the settings say ${check.configured}`,
        `set the region of ${name} to ${check.actual}: CUSTOMERIO_REGION=${check.actual}, or region in the config file`,
      )
    case 'credential_refused':
      return failure(
        `${name}: Customer.io refuses the site id and the Track API key (${check.status})`,
        'correct CUSTOMERIO_SITE_ID and CUSTOMERIO_TRACK_API_KEY, or the key files; see docs/operations.md#paused',
      )
    case 'unreachable':
      return warning(
        `${name}: Customer.io did not say its region: ${check.message}`,
        'check DNS, firewall and proxy on the way to Customer.io, and its status page',
      )
  }
}
