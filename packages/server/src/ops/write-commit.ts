/** Makes a commit object that nobody can see yet: it becomes part of history only by `landRefs`. */
import { encodeCommit } from '@cairn/protocol/git/commits'
import { EMPTY_TREE_OID, newObject, type NewObject } from '@cairn/protocol/git/objects'

import type { RepoRow } from '../store/catalog/catalog.ts'
import type { OpsContext } from './context.ts'
import { signatureOf } from './signature.ts'

/** The tree without entries. */
export const emptyTree: NewObject = {
  oid: EMPTY_TREE_OID,
  type: 'tree',
  bytes: new Uint8Array(0),
}

export interface CommitDraft {
  treeOid: string
  /** New trees and blobs that are not written yet. */
  objects: readonly NewObject[]
  parents: readonly string[]
  message: string
  author: { name: string }
}

/** Writes the objects durably and returns the commit's id. */
export async function writeCommit(
  ctx: OpsContext,
  repo: Pick<RepoRow, 'id'>,
  draft: CommitDraft,
): Promise<string> {
  const signature = signatureOf(draft.author, ctx.clock())
  const bytes = encodeCommit({
    treeOid: draft.treeOid,
    parents: [...draft.parents],
    author: signature,
    committer: signature,
    message: draft.message,
  })
  const commit = newObject(ctx.primitives, 'commit', bytes)
  await ctx.git.write(repo.id, [...draft.objects, commit])
  return commit.oid
}
