/** Rows as a Markdown table, which also reads well in a terminal. */
import { judge, type Bound, type Row } from './rows.ts'

const HEAD = ['', 'Cairn', 'reference', 'ratio', 'bound', ''] as const

export function formatTable(rows: readonly Row[]): string {
  const cells = [[...HEAD], ...rows.map(cellsOf)]
  const widths = HEAD.map((_, column) => Math.max(3, ...cells.map((row) => row[column]!.length)))
  const lines = cells.map(
    (row) => `| ${row.map((cell, column) => cell.padEnd(widths[column]!)).join(' | ')} |`,
  )
  lines.splice(1, 0, `|${widths.map((width) => '-'.repeat(width + 2)).join('|')}|`)
  return lines.join('\n')
}

function cellsOf(row: Row): string[] {
  const { ours, reference, ratio, holds } = judge(row)
  return [
    row.what,
    `${figure(ours)} ${row.unit}`,
    reference === null ? '' : `${figure(reference)} ${row.unit}, ${row.reference?.name}`,
    ratio === null ? '' : `${ratio.toFixed(2)} ×`,
    row.bound === undefined ? '' : boundText(row.bound, row.unit),
    holds === null ? '' : holds ? 'holds' : '**missed**',
  ]
}

function boundText({ on, atMost, atLeast }: Bound, unit: string): string {
  const of = (value: number) => (on === 'ratio' ? `${value} ×` : `${value} ${unit}`)
  return [
    ...(atMost === undefined ? [] : [`at most ${of(atMost)}`]),
    ...(atLeast === undefined ? [] : [`at least ${of(atLeast)}`]),
  ].join(', ')
}

/** Three digits say all that a shared machine can know. */
function figure(value: number): string {
  if (!Number.isFinite(value)) return '?'
  const digits = Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value) || 1)))
  return value >= 1000 ? String(Math.round(value)) : value.toFixed(Math.min(digits, 3))
}
