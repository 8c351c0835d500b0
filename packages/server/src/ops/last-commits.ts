/**
 * The last commit of each entry of a listing. One walk over history costs nearly the same for a page as for whole
 * folders, so whole folders are looked up and remembered: the further pages of a listing need no walk.
 */
import type { CommitRecord } from '../git/git-store.ts'
import { LAST_COMMITS_AHEAD_MAX, LAST_COMMITS_PATHS_MAX } from '../limits.ts'
import type { RepoRow } from '../store/catalog/catalog.ts'
import type { OpsContext } from './context.ts'
import { entryAt, isFolder, readTree, type PathEntry } from './trees.ts'

/** Paths of what a folder holds, by the folder's own path; the root's is empty. */
type Folders = Map<string, string[]>

/**
 * By path; what is in no commit is left out. `ahead` is what the caller expects to be asked for next, in order: the
 * folders among it are looked up in the same walk.
 */
export async function lastCommits(
  ctx: OpsContext,
  repo: RepoRow,
  commit: CommitRecord,
  paths: readonly string[],
  ahead: AsyncIterable<PathEntry> | null = null,
): Promise<Map<string, CommitRecord>> {
  const wanted = new Set(paths.map(folderOf))
  const known = (folder: string) => ctx.caches.lastCommits.get(cacheKey(repo, commit, folder))
  const unknown = [...wanted].filter((folder) => known(folder) === undefined)
  if (unknown.length > 0) {
    const folders = await readFolders(ctx, repo, commit, unknown)
    // A folder too large for one walk is looked up page by page, and not remembered.
    if (folders === null) return ctx.git.lastCommits(repo.id, commit.oid, paths)
    if (ahead !== null) await addFolders(ctx, repo, ahead, folders)
    remember(ctx, repo, commit, folders)
  }
  const commits = new Map<string, Map<string, CommitRecord>>()
  for (const folder of wanted) commits.set(folder, await (known(folder) ?? lookUp(ctx, repo, commit, folder)))
  const result = new Map<string, CommitRecord>()
  for (const path of paths) {
    const record = commits.get(folderOf(path))?.get(path)
    if (record !== undefined) result.set(path, record)
  }
  return result
}

/** Starts one walk for all folders. Whoever asks for one of them meanwhile waits for the same walk. */
function remember(ctx: OpsContext, repo: RepoRow, commit: CommitRecord, folders: Folders): void {
  const walk = ctx.git.lastCommits(repo.id, commit.oid, [...folders.values()].flat())
  for (const [folder, paths] of folders) {
    const key = cacheKey(repo, commit, folder)
    const commits = walk.then((found) => {
      const own = new Map<string, CommitRecord>()
      for (const path of paths) {
        const record = found.get(path)
        if (record !== undefined) own.set(path, record)
      }
      return own
    })
    // A walk that failed is told to those who wait for it, and tried again by the next.
    commits.catch(() => ctx.caches.lastCommits.delete(key))
    ctx.caches.lastCommits.set(key, commits, { size: paths.length + 1 })
  }
}

/** For a folder that the cache had no room for. */
async function lookUp(
  ctx: OpsContext,
  repo: RepoRow,
  commit: CommitRecord,
  folder: string,
): Promise<Map<string, CommitRecord>> {
  const paths = (await readFolders(ctx, repo, commit, [folder]))?.get(folder) ?? []
  return ctx.git.lastCommits(repo.id, commit.oid, paths)
}

async function readFolders(
  ctx: OpsContext,
  repo: RepoRow,
  commit: CommitRecord,
  names: readonly string[],
): Promise<Folders | null> {
  const folders: Folders = new Map()
  let count = 0
  for (const name of names) {
    const entry = await entryAt(ctx, repo.id, commit, name)
    if (entry === null || !isFolder(entry)) continue
    const paths = await pathsIn(ctx, repo, name, entry.oid)
    count += paths.length
    if (count > LAST_COMMITS_PATHS_MAX) return null
    folders.set(name, paths)
  }
  return folders
}

async function addFolders(
  ctx: OpsContext,
  repo: RepoRow,
  ahead: AsyncIterable<PathEntry>,
  folders: Folders,
): Promise<void> {
  let count = [...folders.values()].reduce((sum, paths) => sum + paths.length, 0)
  for await (const { path, entry } of ahead) {
    if (!isFolder(entry) || folders.has(path)) continue
    const paths = await pathsIn(ctx, repo, path, entry.oid)
    count += paths.length
    if (count > LAST_COMMITS_AHEAD_MAX) return
    folders.set(path, paths)
  }
}

async function pathsIn(ctx: OpsContext, repo: RepoRow, folder: string, treeOid: string): Promise<string[]> {
  const prefix = folder === '' ? '' : `${folder}/`
  return (await readTree(ctx, repo.id, treeOid)).map(({ name }) => prefix + name)
}

function folderOf(path: string): string {
  return path.slice(0, Math.max(path.lastIndexOf('/'), 0))
}

function cacheKey(repo: RepoRow, commit: CommitRecord, folder: string): string {
  return `${repo.id}/${commit.oid}/${folder}`
}
