/** Region of a workspace. */
export interface WorkspaceRegion {
  /** Default: `us`. */
  readonly region?: 'us' | 'eu' | undefined
}

/** Credential of the Track API: people, objects and their events. */
export interface TrackCredentials extends WorkspaceRegion {
  readonly siteId: string
  readonly trackApiKey: string
  /** Replaces the region's origin, for a proxy or a test: `http://127.0.0.1:8099`. */
  readonly trackUrl?: string | undefined
}

/** Credential of the App API: transactional messages and broadcasts. */
export interface AppCredentials extends WorkspaceRegion {
  readonly appApiKey: string
  /** Replaces the region's origin, for a proxy or a test: `http://127.0.0.1:8099`. */
  readonly appUrl?: string | undefined
}

/** Credential of the Pipelines API. */
export interface PipelinesCredentials extends WorkspaceRegion {
  readonly pipelinesWriteKey: string
  /** Replaces the region's origin, for a proxy or a test: `http://127.0.0.1:8099`. */
  readonly pipelinesUrl?: string | undefined
}

/**
 * Describes why a text cannot be a credential. Site ids and keys are visible ASCII characters without spaces, which every
 * HTTP header can carry. The description continues a sentence that begins with the name of the text. It says what to do,
 * and quotes nothing of the text.
 *
 * @returns undefined if the text can be a credential.
 */
export function credentialProblem(text: string): string | undefined {
  if (text === '') return 'is empty: give a credential of Customer.io'
  const lines = text.split(/\r\n|[\r\n\v\f\u0085\u2028\u2029]/)
  const filled = lines.filter((line) => line.trim() !== '').length
  if (filled > 1) return `has ${filled} lines: give one credential alone`
  const found = [
    lines.length > 1 && 'a line break',
    text.includes('\t') && 'a tab',
    text.includes(' ') && 'a space',
    /\p{Cc}/u.test(text) && 'a control character',
    /\P{ASCII}/u.test(text) && 'a character that is not ASCII',
  ].find((each) => each !== false)
  return found && `contains ${found}: copy the credential again, as visible ASCII characters without spaces`
}
