/**
 * One pattern line as `.gitignore` and `.gitattributes` share it: anchored or by file name, folders only, and git's
 * three ways to compare (literal, `*literal`, wildmatch behind a literal prefix). Follows git 2.39 `dir.c`.
 */
import { compileWildmatch, spend, wildmatch, type MatchBudget, type Wildmatch } from './wildmatch.ts'

export interface PathPattern {
  negative: boolean
  foldersOnly: boolean
  /** Compared with the last component only. */
  byName: boolean
  /** The whole pattern when it has no wildcard: such patterns can be looked up instead of tried. */
  literal: string | null
  /** Literal bytes that a match starts with. */
  prefix: string
  /** For `*literal` on names: the literal. */
  suffix: string | null
  rest: Wildmatch
}

/** Parses a pattern given as a byte string. */
export function parsePathPattern(line: string): PathPattern {
  const negative = line.startsWith('!')
  let pattern = negative ? line.slice(1) : line
  const foldersOnly = pattern.endsWith('/')
  if (foldersOnly) pattern = pattern.slice(0, -1)
  const byName = !pattern.includes('/')
  if (pattern.startsWith('/')) pattern = pattern.slice(1)
  const special = pattern.search(/[*?[\\]/)
  const suffix =
    byName && pattern.startsWith('*') && !/[*?[\\]/.test(pattern.slice(1)) ? pattern.slice(1) : null
  if (special === -1)
    return { negative, foldersOnly, byName, literal: pattern, prefix: pattern, suffix, rest: [] }
  // On paths git cuts the literal prefix off before it compiles, which makes the `**` of `a**/b` a leading one.
  const prefix = byName ? '' : pattern.slice(0, special)
  const rest = suffix === null ? compileWildmatch(pattern.slice(prefix.length), !byName) : null
  return { negative, foldersOnly, byName, literal: null, prefix, suffix, rest }
}

/** Whether a path (byte string, relative to the pattern's file) matches; `name` is its last component. */
export function matchesPath(pattern: PathPattern, path: string, name: string, budget: MatchBudget): boolean {
  const subject = pattern.byName ? name : path
  spend(budget, 1)
  if (pattern.literal !== null) return subject === pattern.literal
  if (pattern.suffix !== null) return name.endsWith(pattern.suffix)
  if (!subject.startsWith(pattern.prefix)) return false
  return wildmatch(pattern.rest, subject.slice(pattern.prefix.length), budget)
}

/** The last component of a path. */
export function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1)
}
