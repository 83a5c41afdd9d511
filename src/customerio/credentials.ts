/** Where a workspace lives. */
export interface WorkspaceRegion {
  /** Default: `us`. */
  readonly region?: 'us' | 'eu' | undefined
}

/** The Track API's: all that is about people, objects and their events. */
export interface TrackCredentials extends WorkspaceRegion {
  readonly siteId: string
  readonly trackApiKey: string
  /** Replaces the region's origin, for a proxy or a test: `http://127.0.0.1:8099`. */
  readonly trackUrl?: string | undefined
}

/** The App API's: transactional messages and broadcasts. */
export interface AppCredentials extends WorkspaceRegion {
  readonly appApiKey: string
  /** Replaces the region's origin, for a proxy or a test: `http://127.0.0.1:8099`. */
  readonly appUrl?: string | undefined
}

/** The Pipelines API's. */
export interface PipelinesCredentials extends WorkspaceRegion {
  readonly pipelinesWriteKey: string
  /** Replaces the region's origin, for a proxy or a test: `http://127.0.0.1:8099`. */
  readonly pipelinesUrl?: string | undefined
}
