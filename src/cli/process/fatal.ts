import { reportFailure } from '../errors.ts'

let handler: ((error: Error) => void) | undefined

/**
 * Passes errors that would end the process to `handle`, for a command that must clean up first.
 *
 * @returns A function that restores the default.
 */
export function interceptFatal(handle: (error: Error) => void): () => void {
  handler = handle
  return () => {
    handler = undefined
  }
}

/**
 * Ends the process on an error that no promise reports: prints one line, never a stack that may hold settings. Exits with
 * status 0 if the program that reads our output has exited, as `head` does after some lines.
 */
export function exitOnError(error: Error & { code?: string }): void {
  if (handler) handler(error)
  else process.exit(error.code === 'EPIPE' ? 0 : reportFailure(error))
}
