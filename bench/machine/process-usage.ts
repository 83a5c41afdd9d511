import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import os from 'node:os'

/** CPU seconds of a process so far. Undefined without /proc. */
export function cpuSeconds(pid: number): number | undefined {
  return statOf(pid)?.own
}

/**
 * CPU seconds of a process and all its children, including ended ones. For a Postgres server, `pid` is its postmaster.
 * Undefined without /proc, and if the process `pid` is not called `name`: then the server runs in a container or on
 * another machine.
 */
export function familyCpuSeconds(pid: number, name: string): number | undefined {
  const parent = statOf(pid)
  if (!parent || parent.name !== name) return undefined
  const children = readdirSync('/proc').filter((entry) => /^\d+$/.test(entry))
  const living = children
    .flatMap((child) => statOf(Number(child)) ?? [])
    .filter(({ parent }) => parent === pid)
  return living.reduce((sum, { own }) => sum + own, parent.own + parent.ended)
}

/** The parent of a process. Undefined without /proc. */
export function parentOf(pid: number): number | undefined {
  return statOf(pid)?.parent
}

/** Peak resident memory of a process in MB. Undefined without /proc. */
export function peakMemoryMb(pid: number): number | undefined {
  try {
    const kb = readFileSync(`/proc/${pid}/status`, 'utf8').match(/VmHWM:\s+(\d+)/)?.[1]
    return kb === undefined ? undefined : Number(kb) / 1_024
  } catch {
    return undefined
  }
}

/** Returns a function that gives the busy share of all processors, 0 to 1, since its last call. */
export function busyShare(): () => number {
  const read = () => {
    const times = os.cpus().map(({ times }) => times)
    const idle = times.reduce((sum, { idle }) => sum + idle, 0)
    const all = times.reduce((sum, t) => sum + t.user + t.nice + t.sys + t.idle + t.irq, 0)
    return { idle, all }
  }
  let last = read()
  return () => {
    const next = read()
    const share = 1 - (next.idle - last.idle) / (next.all - last.all)
    last = next
    return share
  }
}

interface Stat {
  readonly name: string
  readonly parent: number
  /** CPU seconds of the process itself. */
  readonly own: number
  /** CPU seconds of its ended children. */
  readonly ended: number
}

/** See proc_pid_stat(5). The name is in parentheses and may contain any character. */
function statOf(pid: number): Stat | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    const seconds = (n: number) => Number(fields[n]) / ticksPerSecond()
    return {
      name: stat.slice(stat.indexOf('(') + 1, stat.lastIndexOf(')')),
      parent: Number(fields[1]),
      own: seconds(11) + seconds(12),
      ended: seconds(13) + seconds(14),
    }
  } catch {
    return undefined
  }
}

let ticks: number | undefined
function ticksPerSecond(): number {
  ticks ??= Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }))
  return ticks
}
