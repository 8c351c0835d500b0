/** What `cairn admin gc` takes, and the line in which it sums up what went and what waits. */
import { InvalidArgumentError } from 'commander'

/** As the hub counts them, and as they are called. */
const NAMES = {
  links: 'contents of repositories',
  files: 'recipes of Xet files',
  lfs: 'LFS objects',
  xorbs: 'xorbs',
  shards: 'shards',
  parts: 'uploads in parts',
} as const

export function parseHours(text: string): number {
  const hours = Number(text)
  if (text.trim() === '' || !(hours >= 0)) throw new InvalidArgumentError('Give a number of hours.')
  return hours
}

export function summarizeCollection(counts: Readonly<Record<string, number>>, dryRun: boolean): string {
  const freed = listed(counts, 'freed')
  const waiting = listed(counts, 'waiting')
  const verb = dryRun ? 'would remove' : 'removed'
  return `${verb} ${freed || 'nothing'}${waiting && `; grace is left for ${waiting}`}`
}

function listed(counts: Readonly<Record<string, number>>, state: 'freed' | 'waiting'): string {
  return Object.entries(NAMES)
    .flatMap(([what, name]) => {
      const count = counts[`${what} ${state}`] ?? 0
      return count === 0 ? [] : [`${count} ${name} (${formatBytes(counts[`${what} ${state} bytes`] ?? 0)})`]
    })
    .join(', ')
}

function formatBytes(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB', 'PB']
  let value = bytes
  let unit = 0
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000
    unit += 1
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`
}
