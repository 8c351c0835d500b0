/**
 * Which paths the root `.gitignore` excludes: last matching line decides, `!` takes back, and nothing below an excluded
 * folder can be taken back. Follows git 2.39 `dir.c`.
 */
import { HubError } from '../errors.ts'
import { GIT_PATTERNS_MAX, GIT_PATTERNS_MAX_BYTES } from '../limits.ts'
import { matchesPath, nameOf, parsePathPattern, type PathPattern } from './path-pattern.ts'
import { matchBudget, requestBudget, toByteString, type MatchBudget } from './wildmatch.ts'

/** Asks whether a file of this path is ignored. Throws `Invalid` when the patterns are made to be slow. */
export type IgnoreMatcher = (path: string, request?: MatchBudget['request']) => boolean

/** Throws `TooLarge` when the text has too many bytes or patterns. */
export function parseIgnore(text: string): IgnoreMatcher {
  const bytes = toByteString(text.startsWith('\uFEFF') ? text.slice(1) : text)
  if (bytes.length > GIT_PATTERNS_MAX_BYTES) throw new HubError('TooLarge', '.gitignore is too large')
  const patterns: PathPattern[] = []
  for (const line of bytes.split('\n')) {
    if (line === '' || line.startsWith('#')) continue
    const end = line.endsWith('\r') ? line.slice(0, -1) : line
    const pattern = trimSpaces(end.split('\0', 1)[0] ?? '')
    if (pattern === '') continue
    if (patterns.push(parsePathPattern(pattern)) > GIT_PATTERNS_MAX)
      throw new HubError('TooLarge', '.gitignore has too many patterns')
  }
  return (path, request = requestBudget()) => isIgnored(patterns, toByteString(path), matchBudget(request))
}

function isIgnored(patterns: readonly PathPattern[], path: string, budget: MatchBudget): boolean {
  for (let slash = path.indexOf('/'); slash !== -1; slash = path.indexOf('/', slash + 1))
    if (lastMatchExcludes(patterns, path.slice(0, slash), true, budget)) return true
  return lastMatchExcludes(patterns, path, false, budget)
}

function lastMatchExcludes(
  patterns: readonly PathPattern[],
  path: string,
  isFolder: boolean,
  budget: MatchBudget,
): boolean {
  const name = nameOf(path)
  for (let at = patterns.length - 1; at >= 0; at--) {
    const pattern = patterns[at]
    if (pattern === undefined || (pattern.foldersOnly && !isFolder)) continue
    if (matchesPath(pattern, path, name, budget)) return !pattern.negative
  }
  return false
}

/** Takes the spaces off the end, up to one that a backslash protects. */
function trimSpaces(line: string): string {
  let end = 0
  for (let at = 0; at < line.length; at++) {
    if (line[at] === '\\') {
      at++
      // git leaves a line alone that ends in a lone backslash.
      if (at >= line.length) return line
      end = at + 1
    } else if (line[at] !== ' ') end = at + 1
  }
  return line.slice(0, end)
}
