/** What a run of collection is asked for, and how it counts. */

export interface CollectOptions {
  /** Looks and counts, and changes nothing. */
  dryRun: boolean
  /** How long what nothing needs is kept all the same. */
  graceMs: number
}

/** As in a step of work: `lfs freed`, `lfs freed bytes`, `lfs waiting`, … Waiting is what has grace left. */
export type Counts = Record<string, number>

export type Collected = 'links' | 'files' | 'lfs' | 'xorbs' | 'shards' | 'parts'

export function count(counts: Counts, what: Collected, isFreed: boolean, bytes: number): void {
  const name = `${what} ${isFreed ? 'freed' : 'waiting'}`
  counts[name] = (counts[name] ?? 0) + 1
  counts[`${name} bytes`] = (counts[`${name} bytes`] ?? 0) + bytes
}
