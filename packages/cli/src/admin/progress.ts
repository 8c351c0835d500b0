/** A line on a terminal that says how far something is, and is gone when it is done. */
import type { CliOutput } from '../io.ts'
import { printable } from './print.ts'

const BAR_CHARS = 20

export interface Progress {
  /** `total` null: nobody knows. */
  show(what: string, done: number, total: number | null, at: string): void
  /** Takes the line away, so that others can be written. */
  clear(): void
}

/** Shows nothing where nobody watches. */
export function openProgress(stderr: CliOutput, isWanted: boolean): Progress {
  if (!isWanted || stderr.isTTY !== true) return { show() {}, clear() {} }
  return {
    show(what, done, total, at) {
      stderr.write(`\r\u001b[K${what} ${formatProgress(done, total)} ${printable(at).slice(0, 60)}`)
    },
    clear: () => void stderr.write('\r\u001b[K'),
  }
}

function formatProgress(done: number, total: number | null): string {
  if (total === null || total === 0) return String(done)
  const share = Math.min(1, done / total)
  const filled = Math.round(share * BAR_CHARS)
  const bar = '#'.repeat(filled) + '-'.repeat(BAR_CHARS - filled)
  return `[${bar}] ${Math.floor(share * 100)} % ${done} of ${total}`
}
