/** Prometheus' text format, version 0.0.4. Names and labels are ours alone, so nothing in them needs an escape. */

export type Labels = Readonly<Record<string, string>>
export type Sample = readonly [labels: Labels, value: number]

export interface Metric {
  name: string
  type: 'counter' | 'gauge'
  help: string
  samples: Iterable<Sample>
}

export interface Histogram {
  name: string
  type: 'histogram'
  help: string
  /** Upper ends; the last bucket has none. */
  bounds: readonly number[]
  /** Counts of what fell into each bucket and none before it. */
  series: Iterable<{ labels: Labels; buckets: Iterable<number>; sum: number }>
}

export const EXPOSITION_TYPE = 'text/plain; version=0.0.4; charset=utf-8'

export function formatMetrics(metrics: Iterable<Metric | Histogram>): string {
  let text = ''
  for (const metric of metrics) {
    const { name, type, help } = metric
    text += `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n`
    if (metric.type !== 'histogram')
      for (const [labels, value] of metric.samples) text += line(name, labels, value)
    else
      for (const { labels, buckets, sum } of metric.series) {
        let count = 0
        let index = 0
        for (const inBucket of buckets) {
          count += inBucket
          text += line(`${name}_bucket`, { ...labels, le: String(metric.bounds[index] ?? '+Inf') }, count)
          index += 1
        }
        text += line(`${name}_sum`, labels, sum) + line(`${name}_count`, labels, count)
      }
  }
  return text
}

function line(name: string, labels: Labels, value: number): string {
  const pairs = Object.entries(labels).map(([label, text]) => `${label}="${text}"`)
  return `${name}${pairs.length === 0 ? '' : `{${pairs.join(',')}}`} ${value}\n`
}
