/** The life of a repository: made, listed, deleted. hub-api.md §3. */

import { HubError } from '@cairn/protocol/errors'
import { defaultAttributes } from '@cairn/protocol/git/default-attributes'
import { newObject, type NewObject } from '@cairn/protocol/git/objects'
import { assertRepoPath } from '@cairn/protocol/git/paths'
import { planTree, type TreeEdit } from '@cairn/protocol/git/plan-tree'
import { assertNewName, formatRepoId, type RepoType } from '@cairn/protocol/repo-id'

import { UniqueViolationError, type AccountRow, type RepoRow } from '../store/catalog/catalog.ts'
import { assertMayCreate, repoFor, repoNotFound, type Principal, type RepoLocator } from './access.ts'
import { auditRow } from './audit.ts'
import { newId, type OpsContext } from './context.ts'
import { landRefs } from './land.ts'
import { writeCommit } from './write-commit.ts'

export interface CreateRepo {
  registry: RepoLocator['registry']
  type: RepoType
  /** null: the caller's own. */
  namespace: string | null
  name: string
  private: boolean
  sdk: string | null
  license: string | null
  /** Files of the initial commit besides `.gitattributes`. */
  files: readonly { path: string; content: Uint8Array }[]
}

/** Deduplication domain of a hub that shares one among all its owners. */
const INSTANCE_DOMAIN = 'instance'
const DEFAULT_REF = 'refs/heads/main'
const OPERATOR_NAME = 'cairn'

/** Makes a repository with one commit on `main`. Conflict when the name is taken. */
export async function createRepo(
  ctx: OpsContext,
  principal: Principal,
  request: CreateRepo,
): Promise<RepoRow> {
  const namespace = request.namespace ?? (principal.kind === 'user' ? principal.name : null)
  if (namespace === null) throw new HubError('Unauthenticated', 'Log in with a token to create a repository')
  assertNewName(request.name, 'name')
  const owner = await ownerOf(ctx, request.registry, namespace)
  if (owner === null) {
    if (principal.kind === 'anonymous')
      throw new HubError('Unauthenticated', 'Log in with a token to create a repository')
    throw new HubError(
      'Forbidden',
      `You don't have the rights to create a repository under the namespace '${namespace}'`,
    )
  }
  await assertMayCreate(ctx, principal, owner, namespace)
  const at = ctx.clock()
  const repo: RepoRow = {
    id: newId(ctx),
    registryId: request.registry.id,
    ownerId: owner.id,
    domainId: ctx.dedupDomain === 'instance' ? INSTANCE_DOMAIN : owner.id,
    type: request.type,
    // An account's own spelling; free namespaces keep the caller's.
    namespace: request.registry.orgId === null ? owner.name : namespace,
    name: request.name,
    private: request.private,
    disabled: false,
    defaultRef: DEFAULT_REF,
    sdk: request.sdk,
    createdBy: principal.kind === 'user' ? principal.accountId : null,
    createdAt: at,
    lastModified: at,
    refsDirty: false,
    deletedAt: null,
  }
  const taken = await ctx.catalog.rows.repos.getByName(repo.registryId, repo.type, repo.namespace, repo.name)
  if (taken !== null) throw alreadyExists(taken)
  await ctx.git.create(repo.id)
  try {
    const oid = await initialCommit(ctx, principal, repo, request)
    await landRefs(ctx, {
      repo,
      principal,
      changes: [{ name: DEFAULT_REF, old: null, next: oid }],
      reason: 'initial',
      pointers: [],
      alongside: async (rows, emit) => {
        await rows.repos.insert(repo)
        const details = { type: repo.type, private: repo.private }
        await rows.audit.insert(auditRow(ctx, principal, 'repo.create', formatRepoId(repo), details, repo.id))
        emit({ type: 'repo.created', repoId: repo.id })
      },
    })
  } catch (error) {
    await ctx.git.remove(repo.id)
    if (error instanceof UniqueViolationError) throw alreadyExists(repo)
    throw error
  }
  return repo
}

/** The repository disappears at once; a job removes its files. */
export async function deleteRepo(ctx: OpsContext, principal: Principal, locator: RepoLocator): Promise<void> {
  const { id } = await repoFor(ctx, principal, locator, 'admin')
  await ctx.repoQueue.run(id, async () => {
    // Read again: another request may have deleted it, and even made a new one, while this waited for its turn.
    const repo = await repoFor(ctx, principal, locator, 'admin')
    if (repo.id !== id) throw repoNotFound(principal, locator)
    await ctx.catalog.tx(async (rows, emit) => {
      await rows.repos.markDeleted(id, ctx.clock())
      await rows.audit.insert(
        auditRow(ctx, principal, 'repo.delete', formatRepoId(repo), { type: repo.type }, id),
      )
      emit({ type: 'repo.deleted', repoId: id })
    })
  })
}

/** Who owns a namespace: an account of that name, or in a registry with free namespaces its organization. */
async function ownerOf(
  ctx: OpsContext,
  registry: RepoLocator['registry'],
  namespace: string,
): Promise<AccountRow | null> {
  if (registry.orgId === null) return ctx.catalog.rows.accounts.getByName(namespace)
  // Free namespaces, but for those that the hub's own addresses need.
  assertNewName(namespace, 'namespace')
  return ctx.catalog.rows.accounts.get(registry.orgId)
}

async function initialCommit(
  ctx: OpsContext,
  principal: Principal,
  repo: RepoRow,
  request: CreateRepo,
): Promise<string> {
  const text = new TextEncoder()
  const files = new Map<string, Uint8Array>([['.gitattributes', text.encode(defaultAttributes(repo.type))]])
  if (request.license !== null)
    files.set('README.md', text.encode(`---\nlicense: ${yamlWord(request.license)}\n---\n`))
  for (const { path, content } of request.files) {
    assertRepoPath(path)
    files.set(path, content)
  }
  const blobs: NewObject[] = []
  const edits = new Map<string, TreeEdit>()
  for (const [path, bytes] of files) {
    const blob = newObject(ctx.primitives, 'blob', bytes)
    blobs.push(blob)
    edits.set(path, { oid: blob.oid, mode: '100644' })
  }
  const tree = await planTree({
    rootTreeOid: null,
    edits,
    readTree: () => Promise.reject(new Error('a new repository has no trees')),
    primitives: ctx.primitives,
  })
  return writeCommit(ctx, repo, {
    treeOid: tree.rootOid,
    objects: [...blobs, ...tree.newTrees],
    parents: [],
    message: 'initial commit',
    author: principal.kind === 'user' ? principal : { name: OPERATOR_NAME },
  })
}

/** As people write it, unless YAML would read something else in it. */
function yamlWord(word: string): string {
  return /^[a-z][a-z0-9.+-]*$/i.test(word) && !/^(?:true|false|null|yes|no|on|off)$/i.test(word)
    ? word
    : JSON.stringify(word)
}

function alreadyExists(repo: RepoRow): HubError {
  // The route adds `url`: clients with exist_ok read it from the 409 body (hub-api.md §3.1).
  return new HubError('Conflict', `You already created this ${repo.type} repo: ${formatRepoId(repo)}`, {
    body: { existing: { type: repo.type, namespace: repo.namespace, name: repo.name } },
  })
}

/** Removes what a deleted repository left on disk. Blobs of its domain stay until a sweep finds them unreferenced. */
export async function purgeRepo(ctx: OpsContext, repoId: string): Promise<void> {
  const repo = await ctx.catalog.rows.repos.get(repoId)
  if (repo !== null && repo.deletedAt === null) return
  await ctx.git.remove(repoId)
  await ctx.catalog.tx((rows) => rows.repos.purge(repoId))
}
