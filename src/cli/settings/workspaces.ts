import type { OnDead, WorkspaceOptions } from '../../relay/options.ts'
import { SettingError } from '../errors.ts'

type Workspaces = Readonly<Record<string, WorkspaceOptions>>

/** The settings of the workspace `default` that the environment and the flags can give. */
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
  | 'deliveredPayloads'
  | 'deliveredPayloadDays'
> & {
  /** Of the flag `--on-dead`. */
  readonly onDead?: OnDead | undefined
}

/**
 * The workspace `default` of the environment; undefined if the environment has no credentials.
 *
 * @throws SettingError if only one of the Track API's two credentials is set, or if a flag has no workspace to apply to.
 */
export function workspaceFromEnvironment(given: EnvironmentWorkspace): WorkspaceOptions | undefined {
  const { siteId, trackApiKey, appApiKey, pipelinesWriteKey, region, trackUrl, appUrl, pipelinesUrl } = given
  const { deliveredPayloads, deliveredPayloadDays, onDead } = given
  const credential = trackApiKey ?? appApiKey ?? pipelinesWriteKey
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
  if (deliveredPayloadDays !== undefined && deliveredPayloads !== 'keep') {
    throw new SettingError('Expected --delivered-payloads keep with --delivered-payload-days')
  }
  if (credential === undefined) {
    if ((deliveredPayloads ?? onDead) === undefined) return undefined
    const [flag, field] =
      onDead === undefined ? ['--delivered-payloads', 'deliveredPayloads'] : ['--on-dead', 'onDead']
    throw new SettingError(
      `${flag} is for the workspace default of the environment, which has no credentials: set ${field} in the config file`,
    )
  }
  return {
    ...{ siteId, trackApiKey, appApiKey, pipelinesWriteKey, region, trackUrl, appUrl, pipelinesUrl },
    ...{ deliveredPayloads, deliveredPayloadDays, onDead },
  }
}

/**
 * Every workspace: that of the environment, and those of the config file.
 *
 * @throws SettingError if there is none, or if both have a workspace `default`.
 */
export function allWorkspaces(
  fromEnvironment: WorkspaceOptions | undefined,
  config: { readonly path: string; readonly workspaces: Workspaces } | undefined,
): Workspaces {
  if (fromEnvironment === undefined && config === undefined) {
    throw new SettingError(
      'no credentials: set CUSTOMERIO_SITE_ID and CUSTOMERIO_TRACK_API_KEY (in Customer.io: Settings > Account Settings > API Credentials), CUSTOMERIO_APP_API_KEY or CUSTOMERIO_PIPELINES_WRITE_KEY, or pass --config',
    )
  }
  if (fromEnvironment === undefined) return config?.workspaces ?? {}
  if (config?.workspaces.default !== undefined) {
    throw new SettingError(
      `${config.path}: workspaces.default: the environment's CUSTOMERIO_ credentials define this workspace too: unset them, or remove it from the file`,
    )
  }
  return { default: fromEnvironment, ...config?.workspaces }
}
