import { init } from 'echarts'
import { median } from '../measures/measure.ts'
import type { Chart } from './chart.ts'
import { number } from './tables.ts'

const WIDTH = 860
const ROW = 34
const TOP = 44
/** Text colour on a light page. The style below replaces it on a dark page. */
const INK = '#1f2328'
const OWN_BAR = '#2f81f7'
const PEER_BAR = '#8c959f'
const DARK = `<style>@media (prefers-color-scheme: dark) {
  [fill="${INK}"] { fill: #e6edf3 }
}</style>`

/**
 * Draws horizontal bars with their numbers as SVG, without a background, so they are readable on light and dark pages.
 * If the bars differ by a factor of more than 30, the scale is logarithmic and the title says so.
 */
export function drawChart({ title, bars, unit }: Chart): string {
  const rows = bars.map(({ label, values }) => ({ label, value: median(values) })).reverse()
  const largest = Math.max(...rows.map(({ value }) => value))
  const smallest = Math.min(...rows.map(({ value }) => value))
  const logarithmic = largest / smallest > 30
  const height = TOP + rows.length * ROW + 12
  const chart = init(null, null, { renderer: 'svg', ssr: true, width: WIDTH, height })
  chart.setOption({
    animation: false,
    title: {
      text: logarithmic ? `${title} (logarithmic scale)` : title,
      left: 8,
      top: 8,
      textStyle: { color: INK, fontSize: 14, fontFamily: 'sans-serif' },
    },
    grid: { left: 310, right: 110, top: TOP, bottom: 8 },
    xAxis: {
      type: logarithmic ? 'log' : 'value',
      min: logarithmic ? 10 ** Math.floor(Math.log10(smallest) - 0.3) : 0,
      show: false,
    },
    yAxis: {
      type: 'category',
      data: rows.map(({ label }) => label),
      axisLine: { show: false },
      axisTick: { show: false },
      axisLabel: { color: INK, fontSize: 12, fontFamily: 'sans-serif', width: 300, overflow: 'break' },
    },
    series: [
      {
        type: 'bar',
        barWidth: 18,
        data: rows.map(({ label, value }) => ({
          value,
          itemStyle: { color: label.startsWith('customerio-outbox') ? OWN_BAR : PEER_BAR },
        })),
        label: {
          show: true,
          position: 'right',
          color: INK,
          fontSize: 12,
          fontFamily: 'sans-serif',
          formatter: ({ value }: { value: unknown }) => `${number(Number(value))}${unit}`,
        },
      },
    ],
  })
  const svg = chart.renderToSVGString()
  chart.dispose()
  return `${svg.replace(/(<svg[^>]*>)/, `$1\n${DARK}`)}\n`
}
