/**
 * The commit that `git log -1 -- <path>` names, for many paths in one walk.
 *
 * git follows a path from commit to commit: where a merge has it as some parent does, to the first such parent;
 * where it differs from every parent, it has found its commit. So a path stands at exactly one commit at any time,
 * and the paths that stand at the same commit move together. The walk itself (`--full-history --sparse`) shows
 * all commits, so that one path's history does not hide another's.
 */
import { GIT_LOG_TOKEN_MAX_BYTES, LAST_COMMITS_PATHS_MAX, LAST_COMMITS_PATHSPECS_MAX } from '../limits.ts'
import { type GitHelper, GitProcessError } from './helper.ts'
import { LogParser } from './log-parser.ts'

/** What a commit changed of the paths asked about, against each of its parents; a root against nothing. */
interface Change {
  oid: string
  parents: string[]
  changed: Map<string, Set<string>>
}

const AGAINST_NOTHING = ''

/** The oid of the last commit of each path that ever was. */
export async function findLastCommits(
  helper: GitHelper,
  gitDir: string,
  from: string,
  paths: readonly string[],
): Promise<Map<string, string>> {
  if (paths.length > LAST_COMMITS_PATHS_MAX) throw new RangeError(`More than ${LAST_COMMITS_PATHS_MAX} paths`)
  const walk = new Walk(from, paths)
  if (walk.isDone) return walk.found
  const git = await helper.spawnGit({
    args: [
      '-c',
      'log.showRoot=true',
      'log',
      '--raw',
      '-z',
      '-m',
      '--pretty=raw',
      '--no-renames',
      '--no-abbrev',
      '--full-history',
      '--sparse',
      '--no-decorate',
      '--no-notes',
      '--no-mailmap',
      '--no-color',
      '--no-ext-diff',
      '--ignore-submodules=none',
      from,
      '--',
      ...pathspecs(paths),
    ],
    gitDir,
  })
  git.stream.end()
  const parser = new LogParser(GIT_LOG_TOKEN_MAX_BYTES, walk)
  try {
    for await (const chunk of git.stream as AsyncIterable<Buffer>) {
      parser.push(chunk)
      if (walk.isDone) return walk.found
    }
    const { code, signal, stderr } = await git.exited
    if (code !== 0)
      throw new GitProcessError('exit', `git log ended with ${code ?? signal}: ${stderr.trim()}`, { stderr })
    parser.end()
    walk.end()
    return walk.found
  } finally {
    git.kill()
  }
}

/** git compares every changed entry with every path it is given, so many paths are given as their folders. */
function pathspecs(paths: readonly string[]): string[] {
  // A name that is not UTF-8 cannot be an argument.
  if (!paths.every((path) => path.isWellFormed())) return []
  if (paths.length <= LAST_COMMITS_PATHSPECS_MAX) return [...paths]
  const folders = new Set(paths.map((path) => path.slice(0, Math.max(path.lastIndexOf('/'), 0))))
  return folders.has('') || folders.size > LAST_COMMITS_PATHSPECS_MAX ? [] : [...folders]
}

class Walk {
  readonly found = new Map<string, string>()
  readonly #wanted: ReadonlySet<string>
  /** Paths by the commit that they stand at. */
  readonly #standing = new Map<string, Set<string>>()
  /** Commits that the log showed before any path came to them, as happens when clocks disagree. */
  readonly #seen = new Map<string, Change>()
  #current: Change | null = null
  #comparedTo = AGAINST_NOTHING

  constructor(from: string, paths: readonly string[]) {
    this.#wanted = new Set(paths)
    if (this.#wanted.size > 0) this.#standing.set(from, new Set(this.#wanted))
  }

  get isDone(): boolean {
    return this.#standing.size === 0
  }

  onCommit(oid: string, parents: string[], comparedTo: string | null): void {
    if (this.#current?.oid !== oid) {
      this.end()
      this.#current = { oid, parents, changed: new Map() }
    }
    this.#comparedTo = comparedTo ?? AGAINST_NOTHING
  }

  onPath(path: string): void {
    const changed = this.#current!.changed
    let set = changed.get(this.#comparedTo)
    if (set === undefined) changed.set(this.#comparedTo, (set = new Set()))
    // A folder changes with anything in it.
    for (let at = path; ; at = at.slice(0, at.lastIndexOf('/'))) {
      if (this.#wanted.has(at)) set.add(at)
      if (!at.includes('/')) break
    }
  }

  /** The current commit is complete. */
  end(): void {
    if (this.#current === null) return
    this.#seen.set(this.#current.oid, this.#current)
    for (const ready = [this.#current.oid]; ready.length > 0;) {
      const oid = ready.pop()!
      const change = this.#seen.get(oid)
      const paths = this.#standing.get(oid)
      if (change === undefined || paths === undefined) continue
      this.#standing.delete(oid)
      this.#move(change, paths)
      ready.push(...change.parents)
    }
    this.#current = null
  }

  /** The paths that a commit did not change move on together: what is left to do is only as much as it changed. */
  #move({ oid, parents, changed }: Change, paths: Set<string>): void {
    const [first, ...others] = parents
    for (const path of changed.get(first ?? AGAINST_NOTHING) ?? []) {
      if (!paths.delete(path)) continue
      const next = others.find((parent) => !changed.get(parent)?.has(path))
      if (next === undefined) this.found.set(path, oid)
      else this.#stand(next, new Set([path]))
    }
    if (first !== undefined && paths.size > 0) this.#stand(first, paths)
  }

  #stand(oid: string, paths: Set<string>): void {
    const there = this.#standing.get(oid)
    const [more, fewer] = there === undefined || there.size < paths.size ? [paths, there] : [there, paths]
    for (const path of fewer ?? []) more.add(path)
    this.#standing.set(oid, more)
  }
}
