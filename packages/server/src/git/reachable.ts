/** What can be reached from some commits, in one walk of git's: the commits themselves, or small blobs with a path. */
import { isOid } from '@cairn/protocol/git/objects'
import { LFS_POINTER_MAX_BYTES } from '@cairn/protocol/limits'

import { GIT_OUTPUT_MAX_BYTES } from '../limits.ts'
import type { GitHelper } from './helper.ts'

/** A blob that may be an LFS pointer, and one of the paths that it has somewhere in history. */
export interface SmallBlob {
  oid: string
  path: string
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

function stdin(roots: readonly string[], except: readonly string[]): string {
  for (const oid of [...roots, ...except]) if (!isOid(oid)) throw new TypeError('Not an oid')
  return [...roots, ...except.map((oid) => `^${oid}`)].map((line) => `${line}\n`).join('')
}
