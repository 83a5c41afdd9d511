import { fork } from 'node:child_process'
import { once } from 'node:events'

/** Runs a load generator in a separate process and returns its result, which is its only message. */
export async function runLoad<Result>(script: string, task: object): Promise<Result> {
  const child = fork(script, {
    env: { ...process.env, TASK: JSON.stringify(task) },
    serialization: 'advanced',
  })
  const found = Promise.withResolvers<Result>()
  child.once('message', (message) => found.resolve(message as Result))
  child.once('exit', (code) => found.reject(new Error(`${script} exited with code ${code}`)))
  const result = await found.promise
  if (child.exitCode === null) await once(child, 'exit')
  return result
}

/** The task of this load generator, from the environment variable TASK. */
export function task<Task>(): Task {
  return JSON.parse(process.env.TASK ?? '{}') as Task
}

/** Sends the result to the parent and exits. */
export function finish(result: object): void {
  process.send?.(result, undefined, {}, () => process.exit(0))
}
