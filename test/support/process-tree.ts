import { readdir, readFile, readlink } from 'node:fs/promises'

/** Whether this system has a /proc to find processes in. */
export const canListProcesses = process.platform === 'linux'

/**
 * Returns pid and command line of every living process that a test started, at any depth and in any session. The test starts
 * its processes with `mark` in their environment, which child processes inherit. Postgres' own processes are recognised by
 * their working directory in `folder`.
 */
export async function processesOf(mark: string, folder: string): Promise<string[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name))
  const found = await Promise.all(pids.map((pid) => describe(pid, mark, folder)))
  return found.filter((line) => line !== undefined)
}

async function describe(pid: string, mark: string, folder: string): Promise<string | undefined> {
  const read = (name: string) => readFile(`/proc/${pid}/${name}`, 'utf8').catch(() => '')
  const command = (await read('cmdline')).replaceAll('\0', ' ').trim()
  if (command === '') return undefined // ended, or a zombie that waits for its parent
  const workingDirectory = await readlink(`/proc/${pid}/cwd`).catch(() => '')
  const isOurs = (await read('environ')).includes(mark) || workingDirectory.startsWith(folder)
  return isOurs ? `${pid} ${command}` : undefined
}
