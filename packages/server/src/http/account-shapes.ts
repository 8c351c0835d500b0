/** Users and organizations on the wire: hub-api.md §15. */
import { formatDate } from '@cairn/protocol/api/dates'

import type { Profile } from '../ops/profiles.ts'
import { avatarUrl, type Site } from './urls.ts'

type AccountRow = Profile['account']

/** As a member or a follower is listed. */
export function userShape(site: Site, user: AccountRow): Record<string, unknown> {
  return { ...common(site, user), user: user.name, isPro: false, type: 'user' }
}

/** Nobody follows anybody here, and there are no papers, discussions and upvotes yet: none is what there is. */
export function userOverview(
  site: Site,
  { account, counts, orgs, likeCount }: Profile,
): Record<string, unknown> {
  return {
    ...userShape(site, account),
    isFollowing: false,
    ...countShape(counts),
    numDiscussions: 0,
    numPapers: 0,
    numUpvotes: 0,
    numLikes: likeCount,
    numFollowing: 0,
    numFollowers: 0,
    orgs: orgs.map((org) => ({ ...common(site, org), name: org.name })),
    createdAt: formatDate(account.createdAt),
  }
}

export function orgOverview(site: Site, { account, counts, memberCount }: Profile): Record<string, unknown> {
  return {
    ...common(site, account),
    name: account.name,
    type: 'org',
    isVerified: false,
    isFollowing: false,
    numUsers: memberCount,
    ...countShape(counts),
    numFollowers: 0,
    numPapers: 0,
    createdAt: formatDate(account.createdAt),
  }
}

function common(site: Site, { id, name, fullname }: AccountRow): Record<string, unknown> {
  return { _id: id, fullname: fullname ?? name, avatarUrl: avatarUrl(site, name) }
}

function countShape(counts: Profile['counts']): Record<string, number> {
  return { numModels: counts.model, numDatasets: counts.dataset, numSpaces: counts.space }
}
