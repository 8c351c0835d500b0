/**
 * Which paths `.gitattributes` sends to LFS. Only the `filter` attribute is read; the last matching line decides, and a
 * file in a deeper folder decides before one above it. Lines with `[attr]` macros are skipped, so a macro that sets
 * `filter` has no effect here (git-lfs writes none). Everything else follows git 2.39 `attr.c`.
 */
import { HubError } from '../errors.ts'
import { GIT_ATTRIBUTES_LINE_MAX_BYTES, GIT_PATTERNS_MAX, GIT_PATTERNS_MAX_BYTES } from '../limits.ts'
import { matchesPath, nameOf, parsePathPattern, type PathPattern } from './path-pattern.ts'
import { matchBudget, requestBudget, toByteString, type MatchBudget } from './wildmatch.ts'

export interface AttributesFile {
  /** Folder that the file lies in, without a slash at its end; empty for the root. */
  dir: string
  text: string
}

interface Rule {
  pattern: PathPattern
  lfs: boolean
}

/** The rules of one file; those without wildcards are found by look-up, the rest is tried from the last to the first. */
interface Rules {
  dirPrefix: string
  all: Rule[]
  globs: number[]
  byName: Map<string, number>
  byPath: Map<string, number>
}

const BLANK = ' \t\r\n'

/** The `.gitattributes` files of one tree, or some of them. */
export class Attributes {
  readonly #files: Rules[]

  /** Throws `TooLarge` when a file has too many bytes or patterns. */
  constructor(files: readonly AttributesFile[]) {
    this.#files = files.map(parseAttributes).sort((a, b) => b.dirPrefix.length - a.dirPrefix.length)
  }

  /** Whether `filter` is `lfs` for this file. Throws `Invalid` when the patterns are made to be slow. */
  isLfs(path: string, request: MatchBudget['request'] = requestBudget()): boolean {
    const bytes = toByteString(path)
    const budget = matchBudget(request)
    for (const rules of this.#files) {
      if (!bytes.startsWith(rules.dirPrefix)) continue
      const rule = lastMatch(rules, bytes.slice(rules.dirPrefix.length), budget)
      if (rule !== null) return rule.lfs
    }
    return false
  }
}

function lastMatch(rules: Rules, path: string, budget: MatchBudget): Rule | null {
  const name = nameOf(path)
  const literal = Math.max(rules.byName.get(name) ?? -1, rules.byPath.get(path) ?? -1)
  for (let at = rules.globs.length - 1; at >= 0; at--) {
    const index = rules.globs[at] ?? -1
    if (index < literal) break
    const rule = rules.all[index]
    if (rule !== undefined && matchesPath(rule.pattern, path, name, budget)) return rule
  }
  return rules.all[literal] ?? null
}

function parseAttributes(file: AttributesFile): Rules {
  const text = toByteString(file.text.startsWith('\uFEFF') ? file.text.slice(1) : file.text)
  if (text.length > GIT_PATTERNS_MAX_BYTES) throw new HubError('TooLarge', '.gitattributes is too large')
  const rules: Rules = {
    dirPrefix: file.dir === '' ? '' : `${toByteString(file.dir)}/`,
    all: [],
    globs: [],
    byName: new Map(),
    byPath: new Map(),
  }
  for (const line of text.split('\n')) {
    const rule = parseLine(line)
    if (rule === null) continue
    const index = rules.all.push(rule) - 1
    if (index >= GIT_PATTERNS_MAX) throw new HubError('TooLarge', '.gitattributes has too many patterns')
    const { literal, byName } = rule.pattern
    if (literal === null) rules.globs.push(index)
    else (byName ? rules.byName : rules.byPath).set(literal, index)
  }
  return rules
}

/** Null for a line that says nothing about `filter`, or that git would skip with a warning. */
function parseLine(line: string): Rule | null {
  if (line.length >= GIT_ATTRIBUTES_LINE_MAX_BYTES || line.includes('\0')) return null
  let at = skip(line, 0, true)
  if (at === line.length || line[at] === '#') return null
  const quoted = line[at] === '"' ? unquote(line, at) : null
  const end = quoted === null ? skip(line, at, false) : quoted.next
  const text = quoted === null ? line.slice(at, end) : quoted.text
  if (text.startsWith('[attr]') && text.length > '[attr]'.length) return null

  let lfs: boolean | null = null
  for (at = skip(line, end, true); at < line.length;) {
    const wordEnd = skip(line, at, false)
    const word = line.slice(at, wordEnd)
    const [, sign, name, value] = /^([-!]?)([^=]*)(?:=(.*))?$/s.exec(word) ?? []
    // One bad name spoils the whole line.
    if (name === undefined || !/^[A-Za-z0-9_.][-A-Za-z0-9_.]*$/.test(name) || name.startsWith('builtin_'))
      return null
    if (name === 'filter') lfs = sign === '' && value === 'lfs'
    at = skip(line, wordEnd, true)
  }
  if (lfs === null) return null
  const pattern = parsePathPattern(text)
  // git forbids negative patterns here, and a pattern for folders matches no file.
  return pattern.negative || pattern.foldersOnly ? null : { pattern, lfs }
}

/** The first position from `at` whose character is not blank (or is, for `blank: false`). */
function skip(line: string, at: number, blank: boolean): number {
  let position = at
  while (position < line.length && BLANK.includes(line.charAt(position)) === blank) position++
  return position
}

const ESCAPES: ReadonlyMap<string, string> = new Map(
  Object.entries({ a: '\x07', b: '\b', f: '\f', n: '\n', r: '\r', t: '\t', v: '\v', '\\': '\\', '"': '"' }),
)

/** git's C-style quoting; null when it is malformed, and then the quote is an ordinary character. */
function unquote(line: string, from: number): { text: string; next: number } | null {
  let text = ''
  for (let at = from + 1; at < line.length; at++) {
    const char = line.charAt(at)
    if (char === '"') return { text: text.split('\0', 1)[0] ?? '', next: at + 1 }
    if (char !== '\\') {
      text += char
      continue
    }
    const octal = /^[0-3][0-7]{2}/.exec(line.slice(at + 1, at + 4))
    const escape = ESCAPES.get(line.charAt(at + 1))
    if (octal !== null) text += String.fromCharCode(parseInt(octal[0], 8))
    else if (escape !== undefined) text += escape
    else return null
    at += octal === null ? 1 : 3
  }
  return null
}
