/** What can be reached from some commits, in one walk of git's: commits, small blobs with a path, or given objects. */
import { isOid } from '@cairn/protocol/git/objects'
import { LFS_POINTER_MAX_BYTES } from '@cairn/protocol/limits'

import { GIT_OUTPUT_MAX_BYTES, REACHABLE_WALK_MS } from '../limits.ts'
import { type GitHelper, GitProcessError } from './helper.ts'

/** A blob that may be an LFS pointer, and one of the paths that it has somewhere in history. */
export interface SmallBlob {
  oid: string
  path: string
}

/** A walk from tips that ends when nobody wants its result any more. */
export interface Walk {
  tips: readonly string[]
  signal?: AbortSignal
  /** Who asks. */
  client?: string
}

/** Parents before their children. */
export async function listCommits(
  helper: GitHelper,
  gitDir: string,
  roots: readonly string[],
): Promise<string[]> {
  if (roots.length === 0) return []
  const args = ['rev-list', '--topo-order', '--reverse', '--stdin']
  const output = await helper.runGit({ args, gitDir, stdin: stdin(roots, []) })
  return output.toString().split('\n').filter(Boolean)
}

/** Blobs that `roots` reach and `except` do not. */
export async function listSmallBlobs(
  helper: GitHelper,
  gitDir: string,
  roots: readonly string[],
  except: readonly string[],
): Promise<SmallBlob[]> {
  if (roots.length === 0) return []
  const filter = `--filter=combine:blob:limit=${LFS_POINTER_MAX_BYTES}+object:type=blob`
  const args = ['rev-list', '--objects', filter, '--filter-provided-objects', '--stdin']
  const output = await helper.runGit({
    args,
    gitDir,
    stdin: stdin(roots, except),
    stdoutMaxBytes: GIT_OUTPUT_MAX_BYTES,
  })
  return output
    .toString()
    .split('\n')
    .filter(Boolean)
    .map((line) => ({ oid: line.slice(0, 40), path: line.slice(41) }))
}

/** Those of the commits that the tips do not reach. Cheap where they lie near the tips, or with a commit-graph. */
export async function unreachedCommits(
  helper: GitHelper,
  gitDir: string,
  commits: readonly string[],
  { tips, signal }: Walk,
): Promise<string[]> {
  const args = ['rev-list', '--ignore-missing', '--stdin']
  const call = { args, gitDir, timeoutMs: REACHABLE_WALK_MS, ...(signal === undefined ? {} : { signal }) }
  const output = await helper.runGit({ ...call, stdin: stdin(commits, tips) })
  const unreached = new Set(output.toString().split('\n'))
  return commits.filter((oid) => unreached.has(oid))
}

/**
 * Whether the tips reach all of these objects, of any type. Walks from the newest commit on, each with its folders
 * and files, until the last object is found; only for an object that is not there, or old, is it a long way.
 */
export async function reachObjects(
  helper: GitHelper,
  gitDir: string,
  oids: readonly string[],
  { tips, signal }: Walk,
): Promise<boolean> {
  const missing = new Set(oids)
  if (missing.size === 0) return true
  if (tips.length === 0) return false
  const args = ['rev-list', '--objects', '--in-commit-order', '--no-object-names', '--stdin']
  const call = { args, gitDir, timeoutMs: REACHABLE_WALK_MS, ...(signal === undefined ? {} : { signal }) }
  const git = await helper.spawnGit(call)
  git.stream.end(stdin(tips, []))
  let rest = ''
  for await (const chunk of git.stream as AsyncIterable<Buffer>) {
    const lines = (rest + chunk.toString('latin1')).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) missing.delete(line)
    if (missing.size === 0) {
      git.kill()
      return true
    }
  }
  const { code, stderr } = await git.exited
  if (code !== 0)
    throw new GitProcessError('exit', `git rev-list ended with ${code}: ${stderr.trim()}`, { stderr })
  return false
}

function stdin(roots: readonly string[], except: readonly string[]): string {
  for (const oid of [...roots, ...except]) if (!isOid(oid)) throw new TypeError('Not an oid')
  return [...roots, ...except.map((oid) => `^${oid}`)].map((line) => `${line}\n`).join('')
}
