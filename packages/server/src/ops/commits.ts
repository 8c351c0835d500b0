/** Commits over HTTP: which way each file should travel, and the commit itself. hub-api.md §7. */
import { setImmediate as pause } from 'node:timers/promises'

import type { CommitOperation, LfsFileOperation } from '@cairn/protocol/api/commit'
import { foldOperations, type CommitPlan, type Put } from '@cairn/protocol/api/commit-plan'
import { decideUpload, type PreuploadReplyFile, type PreuploadRequest } from '@cairn/protocol/api/preupload'
import { HubError } from '@cairn/protocol/errors'
import { Attributes } from '@cairn/protocol/git/attributes'
import { trackingLine } from '@cairn/protocol/git/default-attributes'
import { parseIgnore } from '@cairn/protocol/git/ignore'
import { EMPTY_TREE_OID, newObject, type GitMode, type NewObject } from '@cairn/protocol/git/objects'
import { planTree, type TreeEdit } from '@cairn/protocol/git/plan-tree'
import { requestBudget } from '@cairn/protocol/git/wildmatch'
import { formatPointer, parsePointer } from '@cairn/protocol/lfs/pointer'
import { COMMIT_OPERATIONS_MAX } from '@cairn/protocol/limits'
import { printable } from '@cairn/protocol/repo-id'

import type { CommitRecord } from '../git/git-store.ts'
import { COMMIT_BUFFER_FREE_BYTES, COMMIT_BUFFER_MAX_BYTES, COMMIT_OPERATION_BYTES } from '../limits.ts'
import type { RepoRow, StoredContent } from '../store/catalog/catalog.ts'
import { assertUser, repoFor, type Principal, type RepoLocator } from './access.ts'
import { principalNow } from './bearer.ts'
import type { Share } from './byte-budget.ts'
import { CommitPaths } from './commit-paths.ts'
import type { OpsContext } from './context.ts'
import { landRefs, RefMovedError } from './land.ts'
import { assertRoom } from './quotas.ts'
import { readCommit, resolveRevisionOrUnborn, revisionNotFound, UNBORN } from './revisions.ts'
import { blobFacts, entryAt, isFile, isFolder, readTextFile, readTree } from './trees.ts'
import { emptyTree, writeCommit } from './write-commit.ts'

/** Says for each file how to upload it and what lies at its path now. */
export async function preupload(
  ctx: OpsContext,
  principal: Principal,
  locator: RepoLocator,
  revision: string,
  request: PreuploadRequest,
): Promise<{ commit: CommitRecord; files: PreuploadReplyFile[] }> {
  const repo = await repoFor(ctx, principal, locator, 'write')
  const { commit } = await resolveRevisionOrUnborn(ctx, repo, revision)
  const stored = async (path: string): Promise<string> =>
    (await readTextFile(ctx, repo, commit, path))?.text ?? ''
  const attributes = new Attributes([
    { dir: '', text: request.gitAttributes ?? (await stored('.gitattributes')) },
  ])
  const ignore = parseIgnore(`${await stored('.gitignore')}\n${request.gitIgnore ?? ''}`)
  const budget = requestBudget()
  const files: PreuploadReplyFile[] = []
  let moreBytes = 0
  for (const file of request.files) {
    const decision = decideUpload({ ...file, attributes, ignore, budget })
    const now = await contentAt(ctx, repo, commit, file.path)
    files.push({ path: file.path, ...decision, oid: now?.oid ?? null })
    // A large file of the same size is most likely the same file.
    if (decision.uploadMode === 'lfs' && !decision.shouldIgnore && now?.largeBytes !== file.sizeBytes)
      moreBytes += file.sizeBytes
    // Patterns made to be slow cost some forty milliseconds a file; others get their turn in between.
    await pause()
  }
  // Of what is refused later Xet's own library tells the status only.
  await assertRoom(ctx, repo, moreBytes)
  return { commit, files }
}

/**
 * A file by the sha256 and the size of what lies in LFS or Xet, a regular one by git's blob id; null where there is
 * none.
 */
async function contentAt(
  ctx: OpsContext,
  repo: RepoRow,
  commit: CommitRecord,
  path: string,
): Promise<{ oid: string; largeBytes: number | null } | null> {
  const entry = await entryAt(ctx, repo.id, commit, path)
  if (entry === null || !isFile(entry)) return null
  const { lfs } = (await blobFacts(ctx, repo.id, [entry.oid])).get(entry.oid) ?? {}
  return { oid: lfs?.oid ?? entry.oid, largeBytes: lfs?.sizeBytes ?? null }
}

/**
 * Applies operations to the head of a branch and returns the new commit. Without `parentCommit` the head of the moment
 * is the parent, so concurrent commits follow one another; with it a moved branch is StaleParent (412), except when
 * the head is this very commit, sent again by a client that did not see the first answer.
 */
export async function applyCommit(
  ctx: OpsContext,
  principal: Principal,
  locator: RepoLocator,
  revision: string,
  operations: AsyncIterable<CommitOperation>,
): Promise<{ repo: RepoRow; commitOid: string }> {
  const repo = await repoFor(ctx, principal, locator, 'write')
  const author = assertUser(principal)
  await branchOf(ctx, repo, revision)
  using buffer = ctx.budgets.commits.open()
  const { plan, blobs, inlineBytes } = await receive(ctx, repo, operations, buffer)
  const { summary, description, parentCommit } = plan.header
  const message = description === '' ? summary : `${summary}\n\n${description}`

  const commitOid = await ctx.repoQueue.run(repo.id, async () => {
    // Read again: rights, repository or branch may have gone while the body arrived.
    const current = await repoFor(ctx, await principalNow(ctx, principal), locator, 'write')
    const { ref, commit: head } = await branchOf(ctx, current, revision)
    const isFirst = head === UNBORN
    if (parentCommit !== undefined && (isFirst || !head.oid.startsWith(parentCommit))) {
      if (!isFirst && (await isRepeat(ctx, current, head, { plan, message, author }))) return head.oid
      throw new HubError(
        'StaleParent',
        isFirst
          ? `The branch has no commit yet, and so not the given parent ${parentCommit}`
          : `The branch is at ${head.oid}, not at the given parent ${parentCommit}`,
      )
    }
    const draft = await draftTree(ctx, current, head, plan)
    if (draft.rootOid === head.treeOid && !isFirst) return head.oid
    await assertRoom(ctx, current, inlineBytes)
    const objects = [...blobs, ...draft.objects, ...(draft.rootOid === EMPTY_TREE_OID ? [emptyTree] : [])]
    const oid = await writeCommit(ctx, current, {
      treeOid: draft.rootOid,
      objects,
      parents: isFirst ? [] : [head.oid],
      message,
      author,
    })
    try {
      const changes = [{ name: ref, old: isFirst ? null : head.oid, next: oid }]
      await landRefs(ctx, { repo: current, principal, changes, reason: 'commit', pointers: draft.pointers })
    } catch (error) {
      if (error instanceof RefMovedError) throw new HubError('StaleParent', error.message, { cause: error })
      throw error
    }
    return oid
  })
  return { repo, commitOid }
}

/** A commit goes onto a branch (or another ref that takes commits), never onto a tag or an id. */
async function branchOf(
  ctx: OpsContext,
  repo: RepoRow,
  revision: string,
): Promise<{ ref: string; commit: CommitRecord }> {
  const { ref, commit } = await resolveRevisionOrUnborn(ctx, repo, revision)
  if (ref === null || ref.startsWith('refs/tags/')) throw revisionNotFound(revision)
  return { ref, commit }
}

interface Received {
  plan: CommitPlan<InlineBlob>
  /** Blobs of inline files that are not written yet. */
  blobs: NewObject[]
  /** Of all inline contents. */
  inlineBytes: number
}

/** What takes the place of an inline content once its blob is made. */
interface InlineBlob {
  blobOid: string
  /** sha256 of the object, when somebody sends the text of an LFS pointer. */
  pointerOid: string | null
}

/**
 * Reads the operations to their end. Inline contents become git blobs at once; when many have gathered, or other commits
 * hold what memory there is, they are written, so that a body of gigabytes never lies in memory. Blobs of a commit that fails are unreferenced and swept.
 */
async function receive(
  ctx: OpsContext,
  repo: RepoRow,
  operations: AsyncIterable<CommitOperation>,
  buffer: Share,
): Promise<Received> {
  const folded: CommitOperation<InlineBlob>[] = []
  const paths = new CommitPaths()
  let blobs: NewObject[] = []
  let bufferedBytes = 0
  let inlineBytes = 0
  for await (const operation of operations) {
    if (folded.length > COMMIT_OPERATIONS_MAX)
      throw new HubError('TooLarge', `A commit has at most ${COMMIT_OPERATIONS_MAX} operations`)
    for (const path of pathsOf(operation)) paths.add(path)
    if (operation.kind !== 'file') {
      folded.push(operation)
      continue
    }
    const blob = newObject(ctx.primitives, 'blob', operation.content)
    const pointerOid = parsePointer(operation.content)?.oid ?? null
    folded.push({ ...operation, content: { blobOid: blob.oid, pointerOid } })
    blobs.push(blob)
    const bytes = operation.content.length + COMMIT_OPERATION_BYTES
    bufferedBytes += bytes
    inlineBytes += operation.content.length
    const isHeld = bufferedBytes <= COMMIT_BUFFER_FREE_BYTES || buffer.grow(bytes)
    if (!isHeld || bufferedBytes > COMMIT_BUFFER_MAX_BYTES) {
      await ctx.git.write(repo.id, blobs)
      blobs = []
      bufferedBytes = 0
      buffer.giveBack()
    }
  }
  return { plan: foldOperations(folded), blobs, inlineBytes }
}

function pathsOf(operation: CommitOperation): string[] {
  if (operation.kind === 'header') return []
  const oldPath = 'oldPath' in operation ? operation.oldPath : undefined
  return oldPath === undefined ? [operation.path] : [operation.path, oldPath]
}

interface Draft {
  rootOid: string
  /** Trees and pointer blobs. */
  objects: NewObject[]
  /** sha256 that the new pointers name. */
  pointers: string[]
}

/** The tree that the operations make out of a commit's. */
async function draftTree(
  ctx: OpsContext,
  repo: RepoRow,
  base: CommitRecord,
  plan: CommitPlan<InlineBlob>,
): Promise<Draft> {
  const edits = new Map<string, TreeEdit>()
  const objects: NewObject[] = []
  const oids = [...plan.changes.values()].flatMap((put) => pointerOf(put) ?? [])
  const stored = await ctx.catalog.rows.blobs.contentOf(repo.id, oids)

  for (const [path, { required }] of plan.deletedFolders) {
    const entry = await entryAt(ctx, repo.id, base, path)
    if (required || (entry !== null && isFolder(entry))) edits.set(`${path}/`, 'delete-folder')
  }
  for (const [path, put] of plan.changes) {
    if (put === null) {
      if (await mustDelete(ctx, repo, base, plan, path)) edits.set(path, null)
      continue
    }
    const oid = put.kind === 'file' ? put.content.blobOid : addPointer(ctx, objects, put, stored)
    edits.set(path, { oid, mode: await modeAt(ctx, repo, base, path) })
    // Folders in the cache are looked into without a wait.
    if (edits.size % PATHS_BETWEEN_PAUSES === 0) await pause()
  }
  await trackLfs(ctx, repo, base, plan, edits, objects)
  const tree = await planTree({
    rootTreeOid: base.treeOid,
    edits,
    readTree: (oid) => readTree(ctx, repo.id, oid),
    primitives: ctx.primitives,
  })
  return { rootOid: tree.rootOid, objects: [...objects, ...tree.newTrees], pointers: oids }
}

const PATHS_BETWEEN_PAUSES = 2000

/** sha256 that a change points to: every pointer in history has its object, however it was sent. */
function pointerOf(put: Put<InlineBlob> | null): string | null {
  return put === null ? null : put.kind === 'lfsFile' ? put.oid : put.content.pointerOid
}

/** A file that this very commit added and took away again is not in the base and need not be deleted. */
async function mustDelete(
  ctx: OpsContext,
  repo: RepoRow,
  base: CommitRecord,
  plan: CommitPlan<InlineBlob>,
  path: string,
): Promise<boolean> {
  if (plan.requiredFiles.has(path)) return true
  for (const folder of plan.deletedFolders.keys()) if (path.startsWith(`${folder}/`)) return false
  const entry = await entryAt(ctx, repo.id, base, path)
  return entry !== null && isFile(entry)
}

/** An executable file stays one when its content changes; the API has no word for the mode. */
async function modeAt(ctx: OpsContext, repo: RepoRow, base: CommitRecord, path: string): Promise<GitMode> {
  const entry = await entryAt(ctx, repo.id, base, path)
  return entry?.mode === '100755' ? '100755' : '100644'
}

function addPointer(
  ctx: OpsContext,
  objects: NewObject[],
  { path, oid, sizeBytes }: LfsFileOperation,
  stored: ReadonlyMap<string, StoredContent>,
): string {
  const known = stored.get(oid)
  if (known === undefined)
    throw new HubError(
      'BadRequest',
      `${printable(path)}: the LFS object ${oid} was not uploaded to this repository: upload it first`,
    )
  if (sizeBytes !== undefined && sizeBytes !== known.sizeBytes)
    throw new HubError(
      'BadRequest',
      `${printable(path)}: the LFS object ${oid} has ${known.sizeBytes} bytes, not ${sizeBytes}`,
    )
  const blob = newObject(ctx.primitives, 'blob', formatPointer({ oid, sizeBytes: known.sizeBytes }))
  objects.push(blob)
  return blob.oid
}

/** Adds a line to `.gitattributes` for each pointer that no pattern covers: git would take it for a text file. */
async function trackLfs(
  ctx: OpsContext,
  repo: RepoRow,
  base: CommitRecord,
  plan: CommitPlan<InlineBlob>,
  edits: Map<string, TreeEdit>,
  objects: NewObject[],
): Promise<void> {
  const pointers = [...plan.changes].flatMap(([path, put]) => (put?.kind === 'lfsFile' ? [path] : []))
  if (pointers.length === 0) return
  const change = plan.changes.get('.gitattributes')
  // A commit that sets the file itself knows what it wants.
  if (change?.kind === 'file') return
  const text = change === null ? '' : ((await readTextFile(ctx, repo, base, '.gitattributes'))?.text ?? '')
  const attributes = new Attributes([{ dir: '', text }])
  const budget = requestBudget()
  const untracked: string[] = []
  for (const path of pointers) {
    if (!attributes.isLfs(path, budget)) untracked.push(path)
    await pause()
  }
  if (untracked.length === 0) return
  const lines = untracked.map((path) => `${trackingLine(path)}\n`).join('')
  const bytes = new TextEncoder().encode(text + (text === '' || text.endsWith('\n') ? '' : '\n') + lines)
  const blob = newObject(ctx.primitives, 'blob', bytes)
  objects.push(blob)
  edits.set('.gitattributes', { oid: blob.oid, mode: '100644' })
}

/** Whether the head is what this request makes of its parent, by the same author: the client repeats itself. */
async function isRepeat(
  ctx: OpsContext,
  repo: RepoRow,
  head: CommitRecord,
  { plan, message, author }: { plan: CommitPlan<InlineBlob>; message: string; author: { name: string } },
): Promise<boolean> {
  const [parentOid] = head.parents
  const same = head.message.trimEnd() === message.trimEnd() && head.authorName === author.name
  if (!same || parentOid === undefined || !parentOid.startsWith(plan.header.parentCommit ?? '')) return false
  const parent = await readCommit(ctx, repo.id, parentOid)
  return (await draftTree(ctx, repo, parent, plan)).rootOid === head.treeOid
}
