/** Answers of administration, for people; `--json` prints them as they came. */
import type { CliIo } from '../io.ts'

type Value = string | number | boolean | null
type Row = Record<string, Value>
export type AdminAnswer = Row | Row[]

/** Shown in lists as they are told apart by people, the rest follows. */
const DONE = {
  create: 'Made',
  delete: 'Deleted',
  restore: 'Restored',
  list: 'Found',
  repack: 'Packed',
  quota: 'Quota of the',
} as const

export function printAnswer(
  request: { resource: string; verb: keyof typeof DONE },
  answer: AdminAnswer,
  json: boolean,
  { stdout, stderr }: CliIo,
): void {
  if (json) {
    stdout.write(`${JSON.stringify(answer, null, 2)}\n`)
  } else if (Array.isArray(answer)) {
    stdout.write(formatTable(answer))
    if (answer.length === 0) stderr.write(`There is no ${request.resource}.\n`)
  } else if (typeof answer['token'] === 'string') {
    // Alone on stdout, so that $(…) can take it.
    const { token, ...rest } = answer
    stderr.write(`Made token: ${formatRow(rest)}. It is shown this once:\n`)
    stdout.write(`${token}\n`)
  } else stdout.write(`${DONE[request.verb]} ${request.resource}: ${formatRow(answer)}\n`)
}

function formatRow(row: Row): string {
  return Object.entries(row)
    .filter(([, value]) => value !== null)
    .map(([key, value]) => `${key} ${cell(value)}`)
    .join(', ')
}

function formatTable(rows: readonly Row[]): string {
  const [first] = rows
  if (first === undefined) return ''
  const lines = [
    Object.keys(first),
    ...rows.map((row) => Object.keys(first).map((key) => cell(row[key] ?? null))),
  ]
  const widths = Object.keys(first).map((_, column) =>
    Math.max(...lines.map((line) => line[column]?.length ?? 0)),
  )
  return lines
    .map(
      (line) =>
        `${line
          .map((text, column) => text.padEnd(widths[column] ?? 0))
          .join('  ')
          .trimEnd()}\n`,
    )
    .join('')
}

function cell(value: unknown): string {
  if (value === null || value === '') return '-'
  return printable(typeof value === 'string' ? value : JSON.stringify(value))
}

/** Names come from outside: nothing that a terminal would obey is printed. */
export function printable(text: string): string {
  return text.replace(/\p{C}/gu, (c) => `\\u{${c.codePointAt(0)?.toString(16)}}`)
}
