/**
 * git's wildmatch: `*`, `?`, `[...]`, `**` and backslash escapes over bytes, case-sensitive. A pattern becomes a row of
 * states and a path is run through all of them at once, so that the time is at most pattern × path whatever the
 * pattern. Text travels here as byte strings: one character (0–255) for each byte of UTF-8, because git's `?` and
 * classes match bytes. Quirks follow git 2.39 `wildmatch.c`; the tests beside ask the git binary.
 */
import { HubError } from '../errors.ts'
import { GIT_MATCH_STEPS_MAX, GIT_MATCH_STEPS_REQUEST_MAX } from '../limits.ts'

/** What matching may still cost; shared by all patterns tried on one path. */
export interface MatchBudget {
  stepsLeft: number
  /** Of all paths of one request. */
  request: { stepsLeft: number }
}

/** For one path; `request` goes from path to path. */
export function matchBudget(request: MatchBudget['request']): MatchBudget {
  return { stepsLeft: GIT_MATCH_STEPS_MAX, request }
}

export function requestBudget(): MatchBudget['request'] {
  return { stepsLeft: GIT_MATCH_STEPS_REQUEST_MAX }
}

export function spend(budget: MatchBudget, steps: number): void {
  budget.stepsLeft -= steps
  budget.request.stepsLeft -= steps
  if (budget.stepsLeft < 0)
    throw new HubError('Invalid', 'The patterns of this repository take too long to match')
  if (budget.request.stepsLeft < 0)
    throw new HubError(
      'Invalid',
      'The patterns take too long to match with so many paths: send fewer at a time',
    )
}

type State =
  | { kind: 'byte'; code: number }
  | { kind: 'class'; has: Uint8Array }
  /** Any run of bytes without a slash. */
  | { kind: 'star' }
  /** Any run of bytes. */
  | { kind: 'starstar' }
  /** Stands before the starstar and slash of a folder run: the three may match nothing. */
  | { kind: 'option' }

/** A compiled pattern; null matches nothing (an unclosed class, a trailing backslash). */
export type Wildmatch = readonly State[] | null

/** Setting up costs about as much as so many steps, and more for a long pattern. */
const STEPS_OF_A_CALL = 8

const SLASH = 0x2f
const utf8 = new TextEncoder()

/** One character per byte of the text's UTF-8. */
export function toByteString(text: string): string {
  if (/^[\0-\x7f]*$/.test(text)) return text
  let bytes = ''
  for (const byte of utf8.encode(text)) bytes += String.fromCharCode(byte)
  return bytes
}

/** `pathname`: `*`, `?` and classes stop at slashes and `**` does not (git's WM_PATHNAME). */
export function compileWildmatch(pattern: string, pathname: boolean): Wildmatch {
  const states: State[] = []
  let at = 0
  while (at < pattern.length) {
    const char = pattern[at]
    if (char === '*') {
      const from = at
      while (pattern[at] === '*') at++
      states.push(...starOf(pattern, from, at, pathname))
    } else if (char === '?') {
      states.push({ kind: 'class', has: classOf(pathname, (code) => code !== 0) })
      at++
    } else if (char === '[') {
      const parsed = parseClass(pattern, at + 1, pathname)
      if (parsed === null) return null
      states.push({ kind: 'class', has: parsed.has })
      at = parsed.next
    } else {
      if (char === '\\') at++
      if (at >= pattern.length) return null
      states.push({ kind: 'byte', code: pattern.charCodeAt(at) })
      at++
    }
  }
  return states
}

function starOf(pattern: string, from: number, to: number, pathname: boolean): State[] {
  if (!pathname) return [{ kind: 'starstar' }]
  const opens = from === 0 || pattern[from - 1] === '/'
  const closes = to === pattern.length || pattern[to] === '/' || pattern.startsWith('\\/', to)
  if (to - from < 2 || !opens || !closes) return [{ kind: 'star' }]
  return pattern[to] === '/' ? [{ kind: 'option' }, { kind: 'starstar' }] : [{ kind: 'starstar' }]
}

function classOf(pathname: boolean, has: (code: number) => boolean): Uint8Array {
  const table = new Uint8Array(256)
  for (let code = 0; code < 256; code++) table[code] = has(code) ? 1 : 0
  if (pathname) table[SLASH] = 0
  return table
}

/** ASCII only, as git's own ctype: bytes above 0x7f are in no class. */
const NAMED_CLASSES: ReadonlyMap<string, RegExp> = new Map([
  ['alnum', /[A-Za-z0-9]/],
  ['alpha', /[A-Za-z]/],
  ['blank', /[ \t]/],
  ['cntrl', /[^ -~\x80-\xff]/],
  ['digit', /[0-9]/],
  ['graph', /[\x21-\x7e]/],
  ['lower', /[a-z]/],
  ['print', /[\x20-\x7e]/],
  ['punct', /[!-/:-@[-`{-~]/],
  ['space', /[ \t\n\r]/],
  ['upper', /[A-Z]/],
  ['xdigit', /[A-Fa-f0-9]/],
])

/** Reads a class from behind its `[`; null when it never ends or names an unknown class. */
function parseClass(
  pattern: string,
  from: number,
  pathname: boolean,
): { has: Uint8Array; next: number } | null {
  const members = new Uint8Array(256)
  let at = from
  const negated = pattern[at] === '!' || pattern[at] === '^'
  if (negated) at++
  /** The byte that a range could begin with; 0 after a range or a named class. */
  let previous = 0
  do {
    if (at >= pattern.length) return null
    let code = pattern.charCodeAt(at)
    const char = pattern[at]
    if (char === '\\') {
      at++
      if (at >= pattern.length) return null
      code = pattern.charCodeAt(at)
      members[code] = 1
    } else if (char === '-' && previous !== 0 && at + 1 < pattern.length && pattern[at + 1] !== ']') {
      at++
      if (pattern[at] === '\\') at++
      if (at >= pattern.length) return null
      members.fill(1, previous, Math.max(previous, pattern.charCodeAt(at) + 1))
      code = 0
    } else if (char === '[' && pattern[at + 1] === ':') {
      const close = pattern.indexOf(']', at + 2)
      if (close === -1) return null
      if (close - 1 >= at + 2 && pattern[close - 1] === ':') {
        const named = NAMED_CLASSES.get(pattern.slice(at + 2, close - 1))
        if (named === undefined) return null
        for (let member = 1; member < 128; member++)
          if (named.test(String.fromCharCode(member))) members[member] = 1
        at = close
        code = 0
      } else members[code] = 1
    } else members[code] = 1
    previous = code
    at++
  } while (pattern[at] !== ']')
  return { has: classOf(pathname, (code) => code !== 0 && (members[code] === 1) !== negated), next: at + 1 }
}

/** Whether the whole byte string matches. Throws `Invalid` when the budget is spent. */
export function wildmatch(states: Wildmatch, text: string, budget: MatchBudget): boolean {
  if (states === null) return false
  let current: number[] = []
  let next: number[] = []
  /** The last text position at which a state was entered, so that it is entered once per position. */
  spend(budget, STEPS_OF_A_CALL + (states.length >> 3))
  const entered = new Int32Array(states.length + 1).fill(-1)

  const enter = (list: number[], state: number, position: number): void => {
    // A star may match nothing, so entering it enters what follows; iterative, since stars can stand in long rows.
    const pending = [state]
    for (let index = pending.pop(); index !== undefined; index = pending.pop()) {
      if (entered[index] === position) continue
      entered[index] = position
      list.push(index)
      const entry = states[index]
      if (entry === undefined || entry.kind === 'byte' || entry.kind === 'class') continue
      pending.push(index + 1)
      if (entry.kind === 'option') pending.push(index + 3)
    }
  }

  enter(current, 0, 0)
  for (let position = 0; position < text.length && current.length > 0; position++) {
    spend(budget, current.length)
    const code = text.charCodeAt(position)
    next.length = 0
    for (const index of current) {
      const entry = states[index]
      if (entry === undefined) continue
      if (entry.kind === 'byte' ? entry.code === code : entry.kind === 'class' && entry.has[code] === 1)
        enter(next, index + 1, position + 1)
      else if (entry.kind === 'starstar' || (entry.kind === 'star' && code !== SLASH))
        enter(next, index, position + 1)
    }
    ;[current, next] = [next, current]
  }
  return current.includes(states.length)
}
