import { reportFailure } from '../errors.ts'

let handler: ((error: Error) => void) | undefined

/** Until `restore` is called, what would end the process goes to `handle`: for a command that must clean up. */
export function interceptFatal(handle: (error: Error) => void): () => void {
  handler = handle
  return () => {
    handler = undefined
  }
}

/**
 * Ends the process by an error that no promise leads to: in one line, and never in a stack with settings in it.
 * A reader of our output that has gone, such as `head`, is no failure.
 */
export function endBy(error: Error & { code?: string }): void {
  if (handler) handler(error)
  else process.exit(error.code === 'EPIPE' ? 0 : reportFailure(error))
}
