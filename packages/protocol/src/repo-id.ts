/** Names: what a repository may be called, and the words that no account may take. */
import { HubError } from './errors.ts'
import { REPO_NAME_LENGTH_MAX } from './limits.ts'

export const REPO_TYPES = ['model', 'dataset', 'space'] as const
export type RepoType = (typeof REPO_TYPES)[number]

/** The plural form that URLs use: `models`, `datasets`, `spaces`. */
export type RepoTypePlural = `${RepoType}s`

export const REPO_TYPES_PLURAL = ['models', 'datasets', 'spaces'] as const satisfies RepoTypePlural[]

export function singularOf(plural: RepoTypePlural): RepoType {
  return plural.slice(0, -1) as RepoType
}

/** A repository by its public name. Compared without regard to case (hub-api.md §1.4). */
export interface RepoName {
  type: RepoType
  namespace: string
  name: string
}

/** `ns/name`, as clients print it. */
export function formatRepoId(repo: Pick<RepoName, 'namespace' | 'name'>): string {
  return `${repo.namespace}/${repo.name}`
}

/** `datasets/ns/name` for web addresses; models have no prefix. */
export function formatRepoPath(repo: RepoName): string {
  return repo.type === 'model' ? formatRepoId(repo) : `${repo.type}s/${formatRepoId(repo)}`
}

/**
 * Words that URLs use in a place where a namespace could stand (clients.md §4 and the house's list). Frozen:
 * adding one later would take a name from somebody.
 */
const RESERVED_NAMESPACES: ReadonlySet<string> = new Set(
  `api datasets spaces models buckets kernels oauth v2 settings new join login docs .well-known packages
   organizations access-token cas bridge health metrics collections notifications papers jobs assets logout
   huggingface v1 -`.split(/\s+/),
)

const NAME_CHARACTERS = /^[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?$/

/** Says why a namespace or repository name is not allowed, or null. hub-api.md §1.5. */
export function nameProblem(name: string, what: 'namespace' | 'name'): string | null {
  if (name.length < 1 || name.length > REPO_NAME_LENGTH_MAX)
    return `a ${what} has 1 to ${REPO_NAME_LENGTH_MAX} characters`
  if (!NAME_CHARACTERS.test(name))
    return `a ${what} consists of letters, digits, '-', '_' and '.', and starts and ends with a letter, digit or '_'`
  if (name.includes('--') || name.includes('..')) return `a ${what} contains neither '--' nor '..'`
  if (what === 'name' && /\.git$/i.test(name)) return `a name does not end in '.git'`
  return null
}

/** Throws `BadRequest` unless the name may be given to a new namespace or repository. */
export function assertNewName(name: string, what: 'namespace' | 'name'): void {
  const problem = nameProblem(name, what)
  if (problem !== null) throw new HubError('BadRequest', `Invalid ${what} '${printable(name)}': ${problem}`)
  if (what === 'namespace' && RESERVED_NAMESPACES.has(name.toLowerCase()))
    throw new HubError('BadRequest', `The namespace '${name}' is reserved`)
}

export function isReservedNamespace(name: string): boolean {
  return RESERVED_NAMESPACES.has(name.toLowerCase())
}

/** Cuts and escapes a string from outside so that it can stand in a one-line message. */
export function printable(text: string, lengthMax = 120): string {
  const line = text.replace(/[^\x20-\x7e]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`)
  return line.length > lengthMax ? `${line.slice(0, lengthMax)}…` : line
}
