/** How a repository begins. hub-api.md §3.1. */

import { HubError } from '@cairn/protocol/errors'
import { defaultAttributes } from '@cairn/protocol/git/default-attributes'
import { newObject, type NewObject } from '@cairn/protocol/git/objects'
import { assertRepoPath } from '@cairn/protocol/git/paths'
import { planTree, type TreeEdit } from '@cairn/protocol/git/plan-tree'
import { assertNewName, formatRepoId, type RepoType } from '@cairn/protocol/repo-id'

import {
  UniqueViolationError,
  type CatalogRows,
  type HubEvent,
  type RepoRow,
} from '../store/catalog/catalog.ts'
import type { Principal, RepoLocator } from './access.ts'
import { auditRow } from './audit.ts'
import { newId, type OpsContext } from './context.ts'
import { landRefs } from './land.ts'
import { nameTaken, placeFor } from './places.ts'
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
  /** false: no commit and no ref, for people who push a mirror. */
  initialCommit: boolean
  /** LFS objects above it go up in parts; null: the hub's own limit. */
  lfsMultipartAboveBytes: number | null
}

const DEFAULT_REF = 'refs/heads/main'
const OPERATOR_NAME = 'cairn'

/** Makes a repository, usually with one commit on `main`. Conflict when the name is taken. */
export async function createRepo(
  ctx: OpsContext,
  principal: Principal,
  request: CreateRepo,
): Promise<RepoRow> {
  const namespace = request.namespace ?? (principal.kind === 'user' ? principal.name : null)
  if (namespace === null) throw new HubError('Unauthenticated', 'Log in with a token to create a repository')
  assertNewName(request.name, 'name')
  if (!request.initialCommit && (request.files.length > 0 || request.license !== null))
    throw new HubError('BadRequest', `Without an initial commit there can be neither 'files' nor a 'license'`)
  const place = await placeFor(ctx, principal, request.registry, namespace)
  const at = ctx.clock()
  const repo: RepoRow = {
    id: newId(ctx),
    registryId: request.registry.id,
    ...place,
    type: request.type,
    name: request.name,
    private: request.private,
    disabled: false,
    defaultRef: DEFAULT_REF,
    sdk: request.sdk,
    lfsMultipartAboveBytes: request.lfsMultipartAboveBytes,
    createdBy: principal.kind === 'user' ? principal.accountId : null,
    createdAt: at,
    lastModified: at,
    refsDirty: false,
    deletedAt: null,
  }
  const taken = await ctx.catalog.rows.repos.getByName(repo.registryId, repo.type, repo.namespace, repo.name)
  if (taken !== null) throw nameTaken(taken)
  await ctx.git.create(repo.id)
  try {
    const insert = async (rows: CatalogRows, emit: (event: HubEvent) => void): Promise<void> => {
      await rows.repos.insert(repo)
      // A name that led to a renamed repository leads to this one now.
      await rows.oldNames.delete(repo)
      const details = { type: repo.type, private: repo.private }
      await rows.audit.insert(auditRow(ctx, principal, 'repo.create', formatRepoId(repo), details, repo.id))
      emit({ type: 'repo.created', repoId: repo.id })
    }
    if (request.initialCommit) {
      const next = await initialCommit(ctx, principal, repo, request)
      const changes = [{ name: DEFAULT_REF, old: null, next }]
      await landRefs(ctx, { repo, principal, changes, reason: 'initial', pointers: [], alongside: insert })
    } else await ctx.catalog.tx(insert)
  } catch (error) {
    await ctx.git.remove(repo.id)
    if (error instanceof UniqueViolationError) throw nameTaken(repo)
    throw error
  }
  return repo
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
