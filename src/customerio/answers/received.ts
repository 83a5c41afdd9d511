/** A response that arrived in full. */
export interface Answered {
  readonly status: number
  readonly contentType: string | undefined
  /** Decompressed, at most 1 MB. */
  readonly body: string
  readonly retryAfter: string | undefined
  /** The header `Date`: when the server sent the answer, by its own clock. */
  readonly date?: string | undefined
}

/** The outcome of an HTTP request: a response, or an error. */
export type Received =
  | Answered
  | {
      readonly error: unknown
      /** Whether the request was written to a connection, so that the server may have taken it. */
      readonly written: boolean
      /** Status of a redirect that was not followed. */
      readonly redirect?: number | undefined
    }

/** Maximum bytes of a body after decompression. Answers of Customer.io are below 200 KB. */
export const MAX_ANSWER_BYTES = 1_000_000
