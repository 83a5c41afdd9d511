/** A response that arrived in full. */
export interface Answered {
  readonly status: number
  readonly contentType: string | undefined
  /** Unpacked, at most 1 MB. */
  readonly body: string
  readonly retryAfter: string | undefined
  /** When the server sent it, by the server's clock. */
  readonly date?: string | undefined
}

/** What came back: a response, or the error instead of one. */
export type Received =
  | Answered
  | {
      readonly error: unknown
      /** Whether the server may have taken the request. */
      readonly written: boolean
      /** Of a redirect that was not followed. */
      readonly redirect?: number | undefined
    }

/** Longest body that is read, in bytes after unpacking. Customer.io's own answers are below 200 KB. */
export const MAX_ANSWER_BYTES = 1_000_000
