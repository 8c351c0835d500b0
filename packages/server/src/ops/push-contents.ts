/**
 * What a push may bring into a repository: what a commit over HTTP could have brought. Every commit between the refs
 * and the new tips is held to it, not only the last one, since every one can be read afterwards.
 */
import { HubError } from '@cairn/protocol/errors'
import { parseTag } from '@cairn/protocol/git/commits'
import { decodeName } from '@cairn/protocol/git/names'
import { assertRepoPath } from '@cairn/protocol/git/paths'
import type { RefCommand } from '@cairn/protocol/git/receive-request'
import { type LfsPointer, parsePointer } from '@cairn/protocol/lfs/pointer'
import { LFS_POINTER_MAX_BYTES, REGULAR_FILE_MAX_BYTES } from '@cairn/protocol/limits'
import { printable } from '@cairn/protocol/repo-id'

import type { CommitRecord } from '../git/git-store.ts'
import type { Incoming } from '../git/incoming.ts'
import { PUSH_OBJECTS_AT_ONCE, PUSH_PROBLEMS_NAMED_MAX, TAG_DEPTH_MAX } from '../limits.ts'
import type { RepoRow, StoredContent } from '../store/catalog/catalog.ts'
import type { OpsContext } from './context.ts'
import { reviewCard } from './documents.ts'
import { readCommit } from './revisions.ts'
import { readTextFile } from './trees.ts'

/** The contents are refused as a whole. `lines` are printed by the client, one by one. */
export class ContentsRefusedError extends Error {
  readonly lines: readonly string[]

  constructor(reason: string, lines: readonly string[]) {
    super(reason)
    this.name = 'ContentsRefusedError'
    this.lines = lines
  }
}

/** No pointer of any version is shorter. */
const POINTER_MIN_BYTES = 100
const MIB = 1024 * 1024

interface Pushed {
  ctx: OpsContext
  repo: RepoRow
  incoming: Incoming
  tips: readonly string[]
  known: readonly string[]
  signal: AbortSignal
}

/** Throws ContentsRefusedError or PackRefusedError; returns the sha256 of every LFS object that new pointers name. */
export async function assertContents(pushed: Pushed): Promise<string[]> {
  const { incoming, tips, known, signal } = pushed
  const ended = new AbortController()
  const both = AbortSignal.any([signal, ended.signal])
  try {
    const paths = assertPaths(incoming.newPaths(tips, known, both))
    paths.catch(() => {})
    // The walk over the objects goes first in what is said: a folder that is missing has no paths, either.
    await using reader = incoming.openReader(both)
    const pointers = await assertObjects(pushed, incoming.newObjects(tips, known, both), reader)
    await paths
    return pointers
  } finally {
    // When one of the walks has found something, the other is of no use any more.
    ended.abort()
  }
}

async function assertObjects(
  { ctx, repo }: Pushed,
  objects: ReturnType<Incoming['newObjects']>,
  reader: ReturnType<Incoming['openReader']>,
): Promise<string[]> {
  const large: string[] = []
  const wrong: string[] = []
  const pointers = new Set<string>()
  let small: { oid: string; path: Uint8Array }[] = []
  const lookAtSmall = async () => {
    const found = await readPointers(reader, small)
    small = []
    const oids = found.map(([, { oid }]) => oid)
    for (const oid of oids) pointers.add(oid)
    const stored = await ctx.catalog.rows.blobs.contentOf(repo.id, oids)
    for (const [path, pointer] of found) {
      const problem = pointerProblem(pointer, stored.get(pointer.oid))
      if (problem !== null && wrong.length < PUSH_PROBLEMS_NAMED_MAX) wrong.push(`  ${path}: ${problem}`)
    }
  }
  for await (const some of objects)
    for (const { oid, type, sizeBytes, path } of some) {
      if (type !== 'blob') continue
      if (sizeBytes > REGULAR_FILE_MAX_BYTES && large.length < PUSH_PROBLEMS_NAMED_MAX)
        large.push(`  ${shown(path)} (${(sizeBytes / MIB).toFixed(1)} MiB)`)
      if (sizeBytes < POINTER_MIN_BYTES || sizeBytes >= LFS_POINTER_MAX_BYTES) continue
      small.push({ oid, path: Uint8Array.from(path) })
      if (small.length >= PUSH_OBJECTS_AT_ONCE) await lookAtSmall()
    }
  await lookAtSmall()
  if (large.length > 0) throw tooLarge(large)
  if (wrong.length > 0)
    throw new ContentsRefusedError('LFS objects are missing', [
      'These files point to LFS objects that this repository does not have as they say:',
      ...wrong,
      'Upload them first: git lfs push --all origin',
    ])
  return [...pointers]
}

function tooLarge(large: readonly string[]): ContentsRefusedError {
  const name = large[0]!.trim().replace(/ \([\d.]+ MiB\)$/, '')
  const pattern = /\.[^./]+$/.exec(name)?.[0]
  return new ContentsRefusedError('files are too large for git', [
    `Files larger than ${REGULAR_FILE_MAX_BYTES / MIB} MiB belong into Git LFS, in every commit that is pushed:`,
    ...large,
    'For commits that you are about to make:',
    `  git lfs install && git lfs track ${JSON.stringify(pattern === undefined ? name : `*${pattern}`)}`,
    'For commits that you have made already:',
    `  git lfs migrate import --everything --above=${REGULAR_FILE_MAX_BYTES / MIB}MiB`,
  ])
}

async function readPointers(
  reader: ReturnType<Incoming['openReader']>,
  small: readonly { oid: string; path: Uint8Array }[],
): Promise<[path: string, LfsPointer][]> {
  const oids = small.map(({ oid }) => oid)
  const contents = await reader.read(oids, LFS_POINTER_MAX_BYTES)
  return contents.flatMap((bytes, index): [string, LfsPointer][] => {
    const pointer = parsePointer(bytes)
    return pointer === null ? [] : [[shown(small[index]!.path), pointer]]
  })
}

function pointerProblem({ oid, sizeBytes }: LfsPointer, stored: StoredContent | undefined): string | null {
  if (stored === undefined) return `${oid} was not uploaded`
  return stored.sizeBytes === sizeBytes ? null : `${oid} has ${stored.sizeBytes} bytes, not ${sizeBytes}`
}

async function assertPaths(paths: AsyncIterable<Uint8Array[]>): Promise<void> {
  const wrong = new Set<string>()
  for await (const some of paths) {
    for (const path of some)
      try {
        assertRepoPath(decodeName(path))
      } catch (error) {
        if (!(error instanceof HubError)) throw error
        if (wrong.size < PUSH_PROBLEMS_NAMED_MAX) wrong.add(`  ${error.message}`)
      }
    if (wrong.size >= PUSH_PROBLEMS_NAMED_MAX) break
  }
  if (wrong.size > 0) throw new ContentsRefusedError('paths are not allowed', [...wrong])
}

/** The commits that refs will lead to, by what they will point at; null for what leads to no commit. */
export async function peelTips(
  ctx: OpsContext,
  incoming: Incoming,
  oids: readonly string[],
): Promise<Map<string, string | null>> {
  const peeled = new Map<string, string | null>()
  for (let at = 0; at < oids.length; at += PUSH_OBJECTS_AT_ONCE) {
    const slice = oids.slice(at, at + PUSH_OBJECTS_AT_ONCE)
    const commits = await Promise.all(slice.map(async (oid) => peel(ctx, incoming.id, oid)))
    for (const [index, oid] of slice.entries()) peeled.set(oid, commits[index] ?? null)
  }
  return peeled
}

async function peel(ctx: OpsContext, id: string, oid: string): Promise<string | null> {
  let next = oid
  for (let depth = 0; depth < TAG_DEPTH_MAX; depth += 1) {
    const stat = await ctx.git.stat(id, next)
    if (stat?.type === 'commit') return next
    if (stat?.type !== 'tag') return null
    next = parseTag((await ctx.git.read(id, next)).bytes).targetOid
  }
  return null
}

/** The card of a branch's new head, if the push changes it. Throws ContentsRefusedError. */
export async function assertCard(
  ctx: OpsContext,
  repo: RepoRow,
  incoming: Incoming,
  { name, old, next }: RefCommand,
): Promise<void> {
  if (next === null || !/^refs\/(heads|pr)\//.test(name)) return
  const card = async (commit: CommitRecord) =>
    readTextFile(ctx, { ...repo, id: incoming.id }, commit, 'README.md')
  const now = await card(await readCommit(ctx, incoming.id, next))
  const before = old === null ? null : await card(await readCommit(ctx, incoming.id, old))
  if (now === null || now.oid === before?.oid) return
  const { errors } = await reviewCard(ctx, now.text, repo.type)
  if (errors.length === 0) return
  throw new ContentsRefusedError('the metadata of README.md is not valid', [
    `The metadata at the top of README.md is not valid (${printable(name)}):`,
    ...errors.slice(0, PUSH_PROBLEMS_NAMED_MAX).map(({ message }) => `  ${message}`),
  ])
}

function shown(path: Uint8Array): string {
  return printable(decodeName(path))
}
