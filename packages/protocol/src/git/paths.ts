/**
 * What may be written: paths of files in a repository and names of refs. The rules are git's own (`verify_path`,
 * `check-ref-format`) plus what a checkout on Windows or macOS would turn into something else.
 */
import { HubError } from '../errors.ts'
import {
  PATH_COMPONENT_MAX_BYTES,
  PATH_DEPTH_MAX,
  PATH_LENGTH_MAX_BYTES,
  REF_NAME_MAX_BYTES,
} from '../limits.ts'
import { printable } from '../repo-id.ts'

const encoder = new TextEncoder()

// Code points that HFS+ ignores when it compares names, so that ".g\u200cit" opens ".git".
const HFS_IGNORED = /[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]/g
const NTFS_DOT_GIT = /^(?:\.git|git~1)[ .]*(?:$|[:\\/])/i
// eslint-disable-next-line no-control-regex -- control characters are what is looked for
const CONTROL = /[\x00-\x1f\x7f]/

/** True when some file system would open this name as `.git`: what `git fsck` calls hasDotgit. */
export function isDotGit(name: string): boolean {
  return NTFS_DOT_GIT.test(name) || name.replace(HFS_IGNORED, '').toLowerCase() === '.git'
}

/** Throws `Invalid` unless a commit may write a file at this path. */
export function assertRepoPath(path: string): void {
  const problem = pathProblem(path)
  if (problem !== null) throw new HubError('Invalid', `Invalid path '${printable(path)}': ${problem}`)
}

function pathProblem(path: string): string | null {
  if (path === '') return 'it is empty'
  if (isLonger(path, PATH_LENGTH_MAX_BYTES)) return `it is longer than ${PATH_LENGTH_MAX_BYTES} bytes`
  if (!path.isWellFormed()) return 'it is not valid Unicode'
  if (CONTROL.test(path)) return 'it contains a control character'
  if (path.includes('\\')) return 'it contains a backslash'
  const components = path.split('/')
  if (components.length > PATH_DEPTH_MAX) return `it is deeper than ${PATH_DEPTH_MAX} folders`
  for (const component of components) {
    if (component === '') return "it starts or ends with '/' or contains '//'"
    if (component === '.' || component === '..') return `it contains '${component}'`
    if (isDotGit(component)) return `'${printable(component)}' is reserved by git`
    if (isLonger(component, PATH_COMPONENT_MAX_BYTES))
      return `a component is longer than ${PATH_COMPONENT_MAX_BYTES} bytes`
  }
  return null
}

/** In UTF-8, of which a UTF-16 unit needs one to three bytes; so few texts are encoded to find out. */
function isLonger(text: string, maxBytes: number): boolean {
  return text.length > maxBytes || (text.length * 3 > maxBytes && encoder.encode(text).length > maxBytes)
}

/** Throws `BadRequest` unless this is a full ref name (`refs/…`) that `git check-ref-format` accepts. */
export function assertRefName(name: string): void {
  const problem = name.startsWith('refs/') ? refProblem(name) : "it does not start with 'refs/'"
  if (problem !== null) throw new HubError('BadRequest', `Invalid ref '${printable(name)}': ${problem}`)
}

/** The full name of a branch; throws `BadRequest` when it may not be called so. */
export function branchRef(name: string): string {
  return shortRef('branch', 'refs/heads/', name)
}

/** The full name of a tag; throws `BadRequest` when it may not be called so. */
export function tagRef(name: string): string {
  return shortRef('tag', 'refs/tags/', name)
}

function shortRef(kind: string, prefix: string, name: string): string {
  const problem = shortNameProblem(name) ?? refProblem(prefix + name)
  if (problem !== null)
    throw new HubError('BadRequest', `Invalid ${kind} name '${printable(name)}': ${problem}`)
  return prefix + name
}

function shortNameProblem(name: string): string | null {
  if (name === '') return 'it is empty'
  if (name.startsWith('-')) return "it starts with '-'"
  if (name === 'HEAD') return "'HEAD' is reserved"
  // A revision of 40 hex digits always means a commit.
  if (/^[0-9a-f]{40}$/i.test(name)) return 'it looks like a commit'
  return null
}

function refProblem(ref: string): string | null {
  if (isLonger(ref, REF_NAME_MAX_BYTES)) return `it is longer than ${REF_NAME_MAX_BYTES} bytes`
  if (!ref.isWellFormed()) return 'it is not valid Unicode'
  if (CONTROL.test(ref)) return 'it contains a control character'
  const character = /[ ~^:?*[\\]/.exec(ref)
  if (character !== null) return `it contains '${character[0]}'`
  if (ref.includes('..')) return "it contains '..'"
  if (ref.includes('@{')) return "it contains '@{'"
  if (ref.endsWith('.')) return "it ends with '.'"
  for (const component of ref.split('/')) {
    if (component === '') return "it starts or ends with '/' or contains '//'"
    if (component.startsWith('.')) return "a component starts with '.'"
    if (component.endsWith('.lock')) return "a component ends with '.lock'"
  }
  return null
}
