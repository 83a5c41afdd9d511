/** One line of doctor. */
export type Finding =
  /** Nothing to do. Also what the user may not see, with the missing grant. */
  | { readonly level: 'ok'; readonly what: string }
  | {
      /** Only a failure makes the command fail. */
      readonly level: 'warning' | 'failure'
      readonly what: string
      /** A command, a statement, or a section of a document. */
      readonly next: string
    }

/** A finding with the name of its check. */
export type NamedFinding = Finding & { readonly name: string }

export function ok(what: string): Finding {
  return { level: 'ok', what }
}

export function warning(what: string, next: string): Finding {
  return { level: 'warning', what, next }
}

export function failure(what: string, next: string): Finding {
  return { level: 'failure', what, next }
}
