import { mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Description } from '../machine/describe.ts'
import { type MeasureResult, median } from '../measures/measure.ts'
import type { Settings } from '../settings.ts'
import { drawChart } from './draw-chart.ts'

const RESULTS = fileURLToPath(new URL('../results', import.meta.url))
/** The published package contains `docs`, so the charts of docs/performance.md must be in that folder. */
const CHARTS = fileURLToPath(new URL('../../docs/images', import.meta.url))

/** Writes `<measure>.json` to `bench/results` and an SVG per chart to `docs/images`; a quick run writes both to `quick/`. */
export async function saveResults(
  description: Description,
  settings: Settings,
  result: MeasureResult,
): Promise<void> {
  const folder = settings.quick ? path.join(RESULTS, 'quick') : RESULTS
  const chartFolder = settings.quick ? folder : CHARTS
  await mkdir(folder, { recursive: true })
  const groups = result.groups.map(({ title, series }) => ({
    title,
    series: series.map((one) => ({
      ...one,
      median: median(one.values),
      min: Math.min(...one.values),
      max: Math.max(...one.values),
    })),
  }))
  const { charts = [], ...rest } = result
  const content = { ...rest, groups, rounds: settings.rounds, sizes: settings.sizes, description }
  await writeFile(path.join(folder, `${result.id}.json`), `${JSON.stringify(content, null, 2)}\n`)
  for (const chart of charts) await writeFile(path.join(chartFolder, `${chart.name}.svg`), drawChart(chart))
}
