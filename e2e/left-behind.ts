/** What a hub must not have left when it is gone: errors in its log, files outside its data, git's complaints. */
import { existsSync } from 'node:fs'
import { readdir } from 'node:fs/promises'

import { fsckAll, listRepositories } from './fsck.ts'

/** Pino's `error`: every 5xx but 501 is logged so, and every job that failed. */
const errorLevel = 50

export interface Remains {
  log: string
  dataDir: string
  /** The process's working directory, home and place for temporary files, which it has no business in. */
  outside: string
  /** What a test provokes on purpose. */
  expectedErrors: RegExp | null
}

export async function complaintsAbout({ log, dataDir, outside, expectedErrors }: Remains): Promise<string[]> {
  const errors = errorLines(log).filter((line) => expectedErrors?.test(line) !== true)
  const strays = (await readdir(outside, { recursive: true })).map((path) => `outside its data: ${path}`)
  const repositories = existsSync(dataDir) ? await listRepositories(dataDir) : []
  return [...errors, ...strays, ...(repositories.length === 0 ? [] : await fsckAll(dataDir))]
}

/** Lines of the log at error or above, and whatever a dying process prints that is no line of the log. */
function errorLines(log: string): string[] {
  return log.split('\n').filter((line) => {
    if (!line.startsWith('{')) return /^\s*(?:uncaught|\w*error\b.*:|node:internal)/i.test(line)
    try {
      return (JSON.parse(line) as { level?: number }).level! >= errorLevel
    } catch {
      return true
    }
  })
}
