/**
 * Bare repositories on disk, read and changed by real git. Objects and the moving of a branch are written here,
 * everything else is a git process of the helper's.
 */
import { resolve } from 'node:path'

import { parseCommit } from '@cairn/protocol/git/commits'
import { type GitObjectType, isOid, type NewObject } from '@cairn/protocol/git/objects'
import type { Primitives } from '@cairn/protocol/primitives'

import {
  EXPAND_CANDIDATES_MAX,
  FSCK_LINES_MAX,
  GIT_COPY_TIMEOUT_MS,
  GIT_FETCHES_WAITING_MAX,
  GIT_FSCK_TIMEOUT_MS,
  GIT_OBJECT_READ_MAX_BYTES,
  GIT_PUSHES_MAX,
  GIT_PUSHES_WAITING_MAX,
  GIT_WALKS_MAX,
  LOG_COMMITS_MAX,
} from '../limits.ts'
import {
  createBareRepository,
  createIncoming,
  gitDirOf,
  prepareRoot,
  removeBareRepository,
  removeRefLocks,
} from './bare-repository.ts'
import { busy } from './busy.ts'
import { CatFilePool } from './cat-file.ts'
import { type ChangedFile, diffTrees, listChanges } from './compare.ts'
import { listRepositories } from './copy-files.ts'
import { sizeOfObjects } from './disk-size.ts'
import { syncFolder } from './durable.ts'
import {
  type CommitRecord,
  type GitLoad,
  type GitObject,
  GitObjectNotFoundError,
  type GitStore,
} from './git-store.ts'
import { type GitCall, type GitExit, GitHelper, GitProcessError } from './helper.ts'
import {
  type Clutter,
  lastFullRepack,
  measureClutter,
  packRefs,
  repackGeometrically,
  repackWhole,
} from './housekeeping.ts'
import { Incoming } from './incoming.ts'
import { findLastCommits } from './last-commits.ts'
import { projectHead, projectRefs, type RefChange } from './project-refs.ts'
import {
  listCommits,
  listSmallBlobs,
  reachObjects,
  type SmallBlob,
  unreachedCommits,
  type Walk,
} from './reachable.ts'
import { Slots } from './slots.ts'
import { type FetchCall, FetchServer } from './transport.ts'
import { writeObjects } from './write-objects.ts'

/** Opens the store and forks its git helper, which should happen while the server is still small. */
export async function openGitStore(options: { root: string; primitives: Primitives }): Promise<BareGitStore> {
  // git resolves relative paths against its own folder, not ours.
  const root = resolve(options.root)
  await prepareRoot(root)
  return new BareGitStore(root, options.primitives, await GitHelper.open())
}

export class BareGitStore implements GitStore {
  readonly helper: GitHelper
  readonly #root: string
  readonly #primitives: Primitives
  readonly #reader: CatFilePool
  readonly #fetches: FetchServer
  readonly #walks = new Slots(GIT_WALKS_MAX, GIT_FETCHES_WAITING_MAX)
  readonly #pushes = new Slots(GIT_PUSHES_MAX, GIT_PUSHES_WAITING_MAX)

  constructor(root: string, primitives: Primitives, helper: GitHelper) {
    this.#root = root
    this.#primitives = primitives
    this.helper = helper
    this.#reader = new CatFilePool(helper)
    this.#fetches = new FetchServer(helper)
  }

  gitDir(repoId: string): string {
    return gitDirOf(this.#root, repoId)
  }

  repositories(): AsyncIterable<string[]> {
    return listRepositories(this.#root)
  }

  async create(repoId: string): Promise<void> {
    await createBareRepository(this.#root, this.gitDir(repoId))
  }

  async remove(repoId: string): Promise<void> {
    this.forget(repoId)
    await removeBareRepository(this.#root, this.gitDir(repoId))
  }

  async releaseLocks(repoId: string): Promise<void> {
    await removeRefLocks(this.gitDir(repoId))
  }

  /** Lets the resident reader of a repository go: after a repack it still holds the old packs open. */
  forget(repoId: string): void {
    this.#reader.forget(this.gitDir(repoId))
  }

  async read(
    repoId: string,
    oid: string,
    sizeMaxBytes: number = GIT_OBJECT_READ_MAX_BYTES,
  ): Promise<GitObject> {
    const answer = isOid(oid) ? await this.#reader.contents(this.gitDir(repoId), oid, sizeMaxBytes) : null
    if (answer === null) throw new GitObjectNotFoundError(oid)
    if (answer.bytes === undefined)
      throw new RangeError(`The git object ${oid} has ${answer.sizeBytes} bytes, more than ${sizeMaxBytes}`)
    return { type: answer.type, bytes: answer.bytes }
  }

  async stat(repoId: string, oid: string): Promise<{ type: GitObjectType; sizeBytes: number } | null> {
    return isOid(oid) ? this.#reader.info(this.gitDir(repoId), oid) : null
  }

  async expand(repoId: string, prefix: string): Promise<string | null> {
    if (!/^[0-9a-f]{4,40}$/.test(prefix)) return null
    let candidates = [prefix]
    if (!isOid(prefix)) {
      const call = { args: ['rev-parse', `--disambiguate=${prefix}`], gitDir: this.gitDir(repoId) }
      candidates = lines(await this.helper.runGit(call))
    }
    if (candidates.length > EXPAND_CANDIDATES_MAX) return null
    const stats = await Promise.all(candidates.map(async (oid) => this.stat(repoId, oid)))
    const commits = candidates.filter((_, index) => stats[index]?.type === 'commit')
    return commits.length === 1 ? commits[0]! : null
  }

  async write(repoId: string, objects: readonly NewObject[]): Promise<void> {
    if (objects.length > 0) await writeObjects(`${this.gitDir(repoId)}/objects`, objects, this.#primitives)
  }

  async copyHistory(fromRepoId: string, toRepoId: string, oids: readonly string[]): Promise<void> {
    if (oids.length === 0) return
    if (!oids.every(isOid)) throw new TypeError('Not an oid')
    const gitDir = this.gitDir(toRepoId)
    // Kept as the one pack that it arrives in: loose objects would need a sync each.
    const config = ['-c', 'fetch.unpackLimit=1', '-c', 'fetch.fsckObjects=false']
    const quiet = ['--quiet', '--no-tags', '--no-write-fetch-head', '--no-auto-maintenance', '--stdin']
    const args = [...config, 'fetch', ...quiet, this.gitDir(fromRepoId)]
    const stdin = oids.map((oid) => `${oid}\n`).join('')
    await this.helper.runGit({ args, gitDir, stdin, timeoutMs: GIT_COPY_TIMEOUT_MS })
    await syncFolder(`${gitDir}/objects/pack`)
  }

  async projectRefs(repoId: string, refs: readonly RefChange[], head?: string): Promise<void> {
    const typeOf = async (oid: string) => (await this.stat(repoId, oid))?.type ?? null
    await projectRefs(this.helper, this.gitDir(repoId), refs, typeOf)
    if (head !== undefined) await projectHead(this.gitDir(repoId), head)
  }

  async listRefs(repoId: string): Promise<{ name: string; oid: string }[]> {
    const call = { args: ['for-each-ref', '--format=%(objectname) %(refname)'], gitDir: this.gitDir(repoId) }
    return lines(await this.helper.runGit(call)).map((line) => ({
      name: line.slice(41),
      oid: line.slice(0, 40),
    }))
  }

  async log(
    repoId: string,
    from: string,
    options: { skip?: number; limit?: number },
  ): Promise<CommitRecord[]> {
    const skip = `--skip=${count(options.skip ?? 0)}`
    const limit = `--max-count=${Math.min(count(options.limit ?? LOG_COMMITS_MAX), LOG_COMMITS_MAX)}`
    const oids = lines(await this.#walk(repoId, from, { args: ['rev-list', skip, limit, from, '--'] }))
    return Promise.all(oids.map(async (oid) => this.#commit(repoId, oid)))
  }

  async countCommits(repoId: string, from: string): Promise<number> {
    return Number(await this.#walk(repoId, from, { args: ['rev-list', '--count', from, '--'] }))
  }

  async isAncestor(repoId: string, ancestor: string, descendant: string): Promise<boolean> {
    for (const oid of [ancestor, descendant]) if (!isOid(oid)) throw new GitObjectNotFoundError(oid)
    const args = ['merge-base', '--is-ancestor', ancestor, descendant]
    const exit = await this.helper.collect({ args, gitDir: this.gitDir(repoId) })
    if (exit.code !== 0 && exit.code !== 1) {
      for (const oid of [ancestor, descendant]) await this.#assertThere(repoId, oid)
      throw failure(args, exit)
    }
    return exit.code === 0
  }

  async lastCommits(
    repoId: string,
    from: string,
    paths: readonly string[],
  ): Promise<Map<string, CommitRecord>> {
    await this.#assertThere(repoId, from)
    const found = await findLastCommits(this.helper, this.gitDir(repoId), from, paths)
    const oids = [...new Set(found.values())]
    const commits = await Promise.all(oids.map(async (oid) => this.#commit(repoId, oid)))
    const byOid = new Map(commits.map((commit) => [commit.oid, commit]))
    return new Map([...found].map(([path, oid]) => [path, byOid.get(oid)!]))
  }

  async mergeBase(repoId: string, one: string, other: string): Promise<string | null> {
    for (const oid of [one, other]) await this.#assertThere(repoId, oid)
    const args = ['merge-base', one, other]
    const exit = await this.helper.collect({ args, gitDir: this.gitDir(repoId) })
    if (exit.code !== 0 && exit.code !== 1) throw failure(args, exit)
    return lines(exit.stdout)[0] ?? null
  }

  async diff(repoId: string, fromTree: string, toTree: string): Promise<Uint8Array | null> {
    for (const oid of [fromTree, toTree]) await this.#assertThere(repoId, oid)
    return diffTrees(this.helper, this.gitDir(repoId), fromTree, toTree)
  }

  async changedFiles(repoId: string, fromTree: string, toTree: string): Promise<ChangedFile[] | null> {
    for (const oid of [fromTree, toTree]) await this.#assertThere(repoId, oid)
    return listChanges(this.helper, this.gitDir(repoId), fromTree, toTree)
  }

  async commitsFrom(repoId: string, roots: readonly string[]): Promise<string[]> {
    return listCommits(this.helper, this.gitDir(repoId), roots)
  }

  async smallBlobs(
    repoId: string,
    roots: readonly string[],
    except: readonly string[],
  ): Promise<SmallBlob[]> {
    return listSmallBlobs(this.helper, this.gitDir(repoId), roots, except)
  }

  async clutter(repoId: string): Promise<Clutter> {
    return measureClutter(this.gitDir(repoId))
  }

  async repack(repoId: string, signal?: AbortSignal): Promise<void> {
    await repackGeometrically(this.helper, this.gitDir(repoId), signal)
    this.forget(repoId)
  }

  async packRefs(repoId: string): Promise<void> {
    await packRefs(this.helper, this.gitDir(repoId))
  }

  async lastFullRepack(repoId: string): Promise<number> {
    return lastFullRepack(this.gitDir(repoId))
  }

  async repackWhole(
    repoId: string,
    expireBefore: number,
    signal?: AbortSignal,
  ): Promise<() => Promise<void>> {
    const replace = await repackWhole(this.helper, this.gitDir(repoId), expireBefore, signal)
    return async () => {
      await replace()
      this.forget(repoId)
    }
  }

  async unreachedCommits(repoId: string, commits: readonly string[], walk: Walk): Promise<string[]> {
    if (commits.length === 0) return []
    return this.#walking(walk, () => unreachedCommits(this.helper, this.gitDir(repoId), commits, walk))
  }

  async reachObjects(repoId: string, oids: readonly string[], walk: Walk): Promise<boolean> {
    return this.#walking(walk, () => reachObjects(this.helper, this.gitDir(repoId), oids, walk))
  }

  async serveFetch(repoId: string, call: FetchCall): Promise<AsyncIterable<Uint8Array>> {
    return this.#fetches.serve(this.gitDir(repoId), call)
  }

  async receive(repoId: string, client: string, signal: AbortSignal): Promise<Incoming> {
    const release = await this.#pushes.take(signal, client)
    if (release === null) throw busy()
    try {
      const targetDir = this.gitDir(repoId)
      const gitDir = await createIncoming(this.#root, targetDir)
      return new Incoming(this.helper, { gitDir, targetDir }, release)
    } catch (error) {
      release()
      throw error
    }
  }

  async fsck(repoId: string): Promise<string[]> {
    const args = ['fsck', '--strict', '--full', '--no-dangling', '--no-progress']
    const exit = await this.helper.collect({
      args,
      gitDir: this.gitDir(repoId),
      timeoutMs: GIT_FSCK_TIMEOUT_MS,
    })
    // A repository without commits gets a notice or two about that.
    const complaints = [...lines(exit.stdout), ...lines(exit.stderr)].filter(
      (line) => !line.startsWith('notice: '),
    )
    if (exit.code !== 0 && complaints.length === 0) complaints.push(failure(args, exit).message)
    return complaints.slice(0, FSCK_LINES_MAX)
  }

  async sizeOf(repoId: string): Promise<number> {
    return sizeOfObjects(this.gitDir(repoId))
  }

  load(): GitLoad {
    return {
      helperPid: this.helper.pid,
      processes: this.helper.running,
      slots: {
        processes: this.helper.slots,
        fetches: this.#fetches.slots,
        walks: this.#walks.load,
        pushes: this.#pushes.load,
      },
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#reader[Symbol.asyncDispose]()
    await this.helper[Symbol.asyncDispose]()
  }

  async #commit(repoId: string, oid: string): Promise<CommitRecord> {
    const { bytes } = await this.read(repoId, oid)
    const { treeOid, parents, author, message } = parseCommit(bytes)
    const { name: authorName, email: authorEmail, seconds } = author
    return { oid, treeOid, parents, authorName, authorEmail, date: seconds * 1000, message }
  }

  /** Anybody may ask for a long walk, so few at once: they must not keep other callers from git. */
  async #walking<T>({ signal, client }: Walk, walk: () => Promise<T>): Promise<T> {
    const release = await this.#walks.take(signal, client)
    if (release === null) throw busy()
    try {
      return await walk()
    } finally {
      release()
    }
  }

  /** A walk over history. That its start is missing is found out only when it fails. */
  async #walk(repoId: string, from: string, call: Omit<GitCall, 'gitDir'>): Promise<Buffer> {
    if (!isOid(from)) throw new GitObjectNotFoundError(from)
    try {
      return await this.helper.runGit({ ...call, gitDir: this.gitDir(repoId) })
    } catch (error) {
      if (error instanceof GitProcessError && error.reason === 'exit') await this.#assertThere(repoId, from)
      throw error
    }
  }

  async #assertThere(repoId: string, oid: string): Promise<void> {
    if ((await this.stat(repoId, oid)) === null) throw new GitObjectNotFoundError(oid)
  }
}

function lines(output: Buffer | string): string[] {
  return output.toString().split('\n').filter(Boolean)
}

function count(value: number): number {
  if (!Number.isSafeInteger(value) || value < 0) throw new RangeError('Not a count')
  return value
}

function failure(args: readonly string[], { code, signal, stderr }: GitExit): GitProcessError {
  return new GitProcessError('exit', `git ${args[0]} ended with ${code ?? signal}: ${stderr.trim()}`, {
    stderr,
  })
}
