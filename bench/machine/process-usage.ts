import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import os from 'node:os'

/** Seconds of CPU that a process has used so far; undefined where there is no /proc. */
export function cpuSeconds(pid: number): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond()
  } catch {
    return undefined
  }
}

/** Peak resident memory of a process in MB; undefined where there is no /proc. */
export function peakMemoryMb(pid: number): number | undefined {
  try {
    const kb = readFileSync(`/proc/${pid}/status`, 'utf8').match(/VmHWM:\s+(\d+)/)?.[1]
    return kb === undefined ? undefined : Number(kb) / 1_024
  } catch {
    return undefined
  }
}

/** Share of the machine's processors that was busy since the last call, 0 to 1. */
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

let ticks: number | undefined
function ticksPerSecond(): number {
  ticks ??= Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }))
  return ticks
}
