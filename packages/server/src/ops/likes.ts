/** Who likes what. A private repository shows in nobody's likes but to those who may read it. */
import { HubError } from '@cairn/protocol/errors'
import { formatRepoId, printable } from '@cairn/protocol/repo-id'

import { LIKES_PAGE_MAX } from '../limits.ts'
import type { AccountRow, RepoRow } from '../store/catalog/catalog.ts'
import {
  assertTokenMay,
  assertUser,
  repoFor,
  visibilityOf,
  type Principal,
  type RepoLocator,
} from './access.ts'
import { auditRow } from './audit.ts'
import type { OpsContext } from './context.ts'
import { openCursor, sealCursor } from './cursors.ts'

export interface LikesPage {
  cursor: string | null
  limit: number | null
}

/** Likes or unlikes; doing it twice changes nothing. */
export async function setLike(
  ctx: OpsContext,
  principal: Principal,
  locator: RepoLocator,
  liked: boolean,
): Promise<void> {
  const repo = await repoFor(ctx, principal, locator, 'read')
  const user = assertUser(principal)
  assertTokenMay(user, 'like', { id: user.accountId, name: user.name })
  await ctx.catalog.tx(async (rows) => {
    const changed = liked
      ? await rows.likes.insert({ userId: user.accountId, repoId: repo.id, createdAt: ctx.clock() })
      : await rows.likes.delete(user.accountId, repo.id)
    if (!changed) return
    await rows.index.addCounts(repo.id, { likes: liked ? 1 : -1 }, ctx.clock())
    const action = liked ? 'repo.like' : 'repo.unlike'
    await rows.audit.insert(
      auditRow(ctx, principal, action, formatRepoId(repo), { type: repo.type }, repo.id),
    )
  })
}

/** Newest like first. */
export async function listLikers(
  ctx: OpsContext,
  principal: Principal,
  locator: RepoLocator,
  page: LikesPage,
): Promise<{ users: AccountRow[]; nextCursor: string | null }> {
  const repo = await repoFor(ctx, principal, locator, 'read')
  const listing = `likers/${repo.id}`
  const limit = Math.min(page.limit ?? LIKES_PAGE_MAX, LIKES_PAGE_MAX)
  const found = await ctx.catalog.rows.likes.likersOf(repo.id, positionOf(ctx, listing, page.cursor), limit)
  const last = found.at(-1)
  return {
    users: found.map(({ user }) => user),
    nextCursor:
      last === undefined || found.length < limit
        ? null
        : sealCursor(ctx.signer, listing, `${last.at}:${last.user.id}`),
  }
}

/** What a user likes and the caller sees in lists, newest like first. */
export async function listLikes(
  ctx: OpsContext,
  principal: Principal,
  registryId: string,
  userName: string,
  page: LikesPage,
): Promise<{ likes: { repo: RepoRow; at: number }[]; nextCursor: string | null }> {
  const account = await ctx.catalog.rows.accounts.getByName(userName)
  if (account?.kind !== 'user') throw new HubError('NotFound', `There is no user '${printable(userName)}'`)
  const listing = `likes/${registryId}/${account.id}`
  const limit = Math.min(page.limit ?? LIKES_PAGE_MAX, LIKES_PAGE_MAX)
  const likes = await ctx.catalog.rows.likes.likedBy(
    { userId: account.id, registryId, visibility: await visibilityOf(ctx, principal) },
    positionOf(ctx, listing, page.cursor),
    limit,
  )
  const last = likes.at(-1)
  return {
    likes,
    nextCursor:
      last === undefined || likes.length < limit
        ? null
        : sealCursor(ctx.signer, listing, `${last.at}:${last.repo.id}`),
  }
}

function positionOf(
  ctx: OpsContext,
  listing: string,
  cursor: string | null,
): { at: number; id: string } | null {
  const position = openCursor(ctx.signer, listing, cursor)
  if (position === null) return null
  const [at = '', ...id] = String(position).split(':')
  return { at: Number(at), id: id.join(':') }
}
