import type { WorkspaceOptions } from '../../relay/options.ts'
import { SettingError } from '../errors.ts'

type Workspaces = Readonly<Record<string, WorkspaceOptions>>

/** What the environment says of the workspace `default`. */
export type EnvironmentWorkspace = Pick<
  WorkspaceOptions,
  | 'siteId'
  | 'trackApiKey'
  | 'appApiKey'
  | 'pipelinesWriteKey'
  | 'region'
  | 'trackUrl'
  | 'appUrl'
  | 'pipelinesUrl'
>

/**
 * The workspace `default` of the environment; undefined where it has no credentials.
 *
 * @throws SettingError where one half of the Track API's credentials is missing.
 */
export function workspaceOfEnvironment(given: EnvironmentWorkspace): WorkspaceOptions | undefined {
  const { siteId, trackApiKey, appApiKey, pipelinesWriteKey, region, trackUrl, appUrl, pipelinesUrl } = given
  if (siteId !== undefined && trackApiKey === undefined) {
    throw new SettingError(
      'CUSTOMERIO_TRACK_API_KEY is not set: set it to the Track API key that belongs to CUSTOMERIO_SITE_ID',
    )
  }
  if (siteId === undefined && trackApiKey !== undefined) {
    throw new SettingError(
      'CUSTOMERIO_SITE_ID is not set: set it to the site id that CUSTOMERIO_TRACK_API_KEY belongs to',
    )
  }
  if ((trackApiKey ?? appApiKey ?? pipelinesWriteKey) === undefined) return undefined
  return { siteId, trackApiKey, appApiKey, pipelinesWriteKey, region, trackUrl, appUrl, pipelinesUrl }
}

/**
 * Every workspace: that of the environment, and those of the config file where there is one.
 *
 * @throws SettingError where there is none, or both have `default`.
 */
export function allWorkspaces(
  ofEnvironment: WorkspaceOptions | undefined,
  config: { readonly path: string; readonly workspaces: Workspaces } | undefined,
): Workspaces {
  if (ofEnvironment === undefined && config === undefined) {
    throw new SettingError(
      'no credentials: set CUSTOMERIO_SITE_ID and CUSTOMERIO_TRACK_API_KEY (in Customer.io: Settings > Account Settings > API Credentials), CUSTOMERIO_APP_API_KEY or CUSTOMERIO_PIPELINES_WRITE_KEY, or pass --config',
    )
  }
  if (ofEnvironment === undefined) return config?.workspaces ?? {}
  if (config?.workspaces.default !== undefined) {
    throw new SettingError(
      `${config.path}: workspaces.default: the environment's CUSTOMERIO_ credentials are this workspace's, too: unset them, or leave it out`,
    )
  }
  return { default: ofEnvironment, ...config?.workspaces }
}
