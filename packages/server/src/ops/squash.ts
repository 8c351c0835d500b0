/** Super-squash: a branch becomes one commit without parents. hub-api.md §5. */
import { HubError } from '@cairn/protocol/errors'

import { SQUASH_MESSAGE_MAX_BYTES } from '../limits.ts'
import { assertUser, repoFor, type Principal, type RepoLocator } from './access.ts'
import type { OpsContext } from './context.ts'
import { landRefs, RefMovedError } from './land.ts'
import { resolveRevision, revisionNotFound } from './revisions.ts'
import { writeCommit } from './write-commit.ts'

/** The files stay as they are. What came before is reachable only from other refs, and from retained commits. */
export async function superSquash(
  ctx: OpsContext,
  principal: Principal,
  locator: RepoLocator,
  request: { branch: string; message: string | null },
): Promise<{ commitOid: string }> {
  const message = request.message?.trim() || `Super-squash branch '${request.branch}'`
  if (Buffer.byteLength(message) > SQUASH_MESSAGE_MAX_BYTES)
    throw new HubError('TooLarge', `The message has more than ${SQUASH_MESSAGE_MAX_BYTES} bytes`)
  const { id } = await repoFor(ctx, principal, locator, 'write')
  const author = assertUser(principal)
  return ctx.repoQueue.run(id, async () => {
    // Read again: the repository may have changed or gone while this waited for its turn.
    const repo = await repoFor(ctx, principal, locator, 'write')
    const { ref, commit } = await resolveRevision(ctx, repo, request.branch)
    if (ref === null) throw revisionNotFound(request.branch)
    if (ref.startsWith('refs/tags/'))
      throw new HubError('BadRequest', 'You cannot squash the history of a tag: name a branch')
    const old = await ctx.catalog.rows.refs.get(repo.id, ref)
    const commitOid = await writeCommit(ctx, repo, {
      treeOid: commit.treeOid,
      objects: [],
      parents: [],
      message,
      author,
    })
    try {
      const changes = [{ name: ref, old: old?.oid ?? null, next: commitOid }]
      await landRefs(ctx, { repo, principal, changes, reason: 'super-squash', pointers: [] })
    } catch (error) {
      if (error instanceof RefMovedError) throw new HubError('Conflict', error.message, { cause: error })
      throw error
    }
    return { commitOid }
  })
}
