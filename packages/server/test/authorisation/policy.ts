/**
 * Who may do what, as people are told it (docs/operations.md «Who may do what» holds the same table). Written by hand
 * and from nothing that the hub's code says: authorisation.test.ts asks the hub for every cell of it.
 *
 * A new route needs one line in `ROUTES`, and where it has a body one in ../repo-routes.ts. What a query or a body makes
 * of a route can have a line of its own, with the query or some words in brackets behind.
 */

/**
 * What an answer is. `yes`: what was asked for happens. `no`: 403. `login`: 401, come with a token. `bad`: 401 of a
 * credential that is none. `absent`: as if there were no such repository.
 */
export type Outcome = 'yes' | 'no' | 'login' | 'bad' | 'absent'

/**
 * Needs towards one repository, the columns of `ON_REPOS`. `admin`: delete, settings. `rename`: takes a name in the
 * namespace. `copy`: read here, make a repository in one's own namespace. `like`: read here, write one's own likes.
 */
export const REPO_NEEDS = ['read', 'write', 'admin', 'rename', 'copy', 'like'] as const
export type RepoNeed = (typeof REPO_NEEDS)[number]

/**
 * Needs towards anything else, the columns of `ON_HUB`. `account`: any token. `tokens`: make tokens. `storage`: list
 * one's own repositories with their sizes, `org storage` those of an organization. `create`: make repositories in the
 * organization. `members`: change its members' roles; `find`: find one by e-mail. `hub`: administer the instance.
 * `metrics`: read how it does.
 */
export const HUB_NEEDS = [
  'public',
  'account',
  'tokens',
  'storage',
  'org storage',
  'create',
  'find',
  'members',
  'hub',
  'metrics',
] as const
export type HubNeed = (typeof HUB_NEEDS)[number]

const ALL = 'yes yes yes yes yes yes'
const NONE = 'absent absent absent absent absent absent'
const READS = 'yes no no no yes yes'
const LOOKS = 'yes no no no no no'
const BAD = 'bad bad bad bad bad bad'

/** Towards a public and a private repository: read, write, admin, rename, copy, like. */
export const ON_REPOS = {
  anonymous: ['yes login login login login login', NONE],
  'an unknown token': [BAD, BAD],
  'a revoked token': [BAD, BAD],
  'an expired token': [BAD, BAD],
  'a token of a deleted account': [BAD, BAD],

  stranger: [READS, NONE],
  'stranger, read token': [LOOKS, NONE],
  'stranger, fine-grained: everything': [READS, NONE],

  owner: [ALL, ALL],
  'owner, read token': [LOOKS, LOOKS],
  'owner, fine-grained: the account': ['yes yes yes yes yes no', 'yes yes yes yes yes no'],
  'owner, fine-grained: read the account': [LOOKS, LOOKS],
  'owner, fine-grained: these repositories': ['yes yes yes no no no', 'yes yes yes no no no'],
  'owner, fine-grained: read these repositories': [LOOKS, LOOKS],
  'owner, fine-grained: another repository': [LOOKS, NONE],
  'owner, fine-grained: discussions': [LOOKS, NONE],

  'member: read': [READS, READS],
  'member: contributor': [READS, READS],
  'member: contributor, its creator': [ALL, ALL],
  'member: write': [ALL, ALL],
  'member: write, read token': [LOOKS, LOOKS],
  'member: write, fine-grained: another organization': [LOOKS, NONE],
  'member: admin': [ALL, ALL],
  'former member': [READS, NONE],

  administrator: [ALL, ALL],
  'administrator, read token': [LOOKS, LOOKS],
  'administrator, fine-grained: read everything': [LOOKS, LOOKS],
  'administrator, fine-grained: metrics': [LOOKS, NONE],
} as const satisfies Record<string, readonly [string, string]>

export type PrincipalName = keyof typeof ON_REPOS

const BAD_HERE = 'bad bad bad bad bad bad bad bad bad bad'

/** Towards the hub: public, account, tokens, storage, org storage, create, find, members, hub, metrics. */
export const ON_HUB: Record<PrincipalName, string> = {
  anonymous: 'yes login login login login login login login login login',
  'an unknown token': BAD_HERE,
  'a revoked token': BAD_HERE,
  'an expired token': BAD_HERE,
  'a token of a deleted account': BAD_HERE,

  stranger: 'yes yes yes yes no no no no no no',
  'stranger, read token': 'yes yes no yes no no no no no no',
  'stranger, fine-grained: everything': 'yes yes no yes no no no no no no',

  owner: 'yes yes yes yes no no no no no no',
  'owner, read token': 'yes yes no yes no no no no no no',
  'owner, fine-grained: the account': 'yes yes no yes no no no no no no',
  'owner, fine-grained: read the account': 'yes yes no yes no no no no no no',
  'owner, fine-grained: these repositories': 'yes yes no no no no no no no no',
  'owner, fine-grained: read these repositories': 'yes yes no no no no no no no no',
  'owner, fine-grained: another repository': 'yes yes no no no no no no no no',
  'owner, fine-grained: discussions': 'yes yes no no no no no no no no',

  'member: read': 'yes yes yes yes yes no no no no no',
  'member: contributor': 'yes yes yes yes yes yes no no no no',
  'member: contributor, its creator': 'yes yes yes yes yes yes no no no no',
  'member: write': 'yes yes yes yes yes yes no no no no',
  'member: write, read token': 'yes yes no yes yes no no no no no',
  'member: write, fine-grained: another organization': 'yes yes no no no no no no no no',
  'member: admin': 'yes yes yes yes yes yes yes yes no no',
  'former member': 'yes yes yes yes no no no no no no',

  administrator: 'yes yes yes yes yes yes yes yes yes yes',
  'administrator, read token': 'yes yes no yes yes no yes no no yes',
  'administrator, fine-grained: read everything': 'yes yes no yes no no no no no no',
  'administrator, fine-grained: metrics': 'yes yes no no no no no no no yes',
}

/** A need, with the statuses of what happens then where that is not always 200: the second time it may be there already. */
type Rule<Need> = Need | readonly [Need, ...number[]]

/**
 * Every route that names a repository in its address or its body. `signature`: the address itself must be signed, and
 * no token helps.
 */
export const ROUTES: Readonly<Record<string, Rule<RepoNeed | 'signature'>>> = {
  'GET {api}': 'read',
  'GET {api}/revision/*': 'read',
  'GET {api}/auth-check': 'read',
  'GET {api}/auth-check/write': 'write',
  'GET {api}/refs': 'read',
  'GET {api}/commits/*': 'read',
  'GET {api}/tree/*': 'read',
  'GET {api}/treesize/*': 'read',
  'GET {api}/compare/*': 'read',
  'POST {api}/paths-info/*': 'read',
  'GET {api}/likers': 'read',
  'GET {api}/downloads': 'read',
  'GET {web}/resolve/*': 'read',
  'GET {web}/raw/*': 'read',
  'GET /v2/:namespace/:name/manifests/:tag': 'read',
  'GET /v2/:namespace/:name/blobs/:digest': 'read',
  'GET {api}/xet-read-token/*': 'read',
  'GET {api}/xet-write-token/*': 'write',
  'POST {web}/info/lfs/objects/batch': 'write',
  'POST {web}/info/lfs/objects/batch (download)': 'read',
  'POST {web}/info/lfs/verify': 'read',
  'PUT {web}/info/lfs/objects/:oid': 'signature',
  'GET {web}/info/lfs/objects/:oid': 'signature',
  'PUT {web}/info/lfs/objects/:oid/parts/:uploadId/:part': 'signature',
  'POST {web}/info/lfs/objects/:oid/parts/:uploadId': 'signature',
  'GET {web}/info/lfs/locks': 'read',
  'POST {web}/info/lfs/locks': ['write', 201, 409],
  'POST {web}/info/lfs/locks/verify': 'write',
  'POST {web}/info/lfs/locks/:id/unlock': ['write', 404],
  'GET {web}/info/refs': 'read',
  'POST {web}/git-upload-pack': 'read',
  'POST {web}/git-receive-pack': 'write',
  'GET {web}/HEAD': ['read', 403],
  'GET {web}/objects/*': ['read', 403],
  'GET {api}/lfs-files': 'write',
  'POST {api}/lfs-files/batch': 'write',
  'DELETE {api}/lfs-files/:sha': 'write',
  'POST {api}/lfs-files/duplicate': 'write',
  'POST {api}/preupload/*': 'write',
  'POST {api}/commit/*': 'write',
  'POST {api}/branch/*': ['write', 409],
  'DELETE {api}/branch/*': ['write', 404],
  'POST {api}/tag/*': ['write', 200, 409],
  'DELETE {api}/tag/*': ['write', 404],
  'POST {api}/super-squash/*': 'write',
  'PUT {api}/settings': 'admin',
  'POST {api}/duplicate': ['copy', 200, 409],
  'POST {api}/like': 'like',
  'DELETE {api}/like': 'like',
  'POST /api/repos/move': 'rename',
  'DELETE /api/repos/delete': 'admin',
}

/** What a CAS token must have been made for: reading or writing one repository. */
export const CAS_ROUTES: Readonly<Record<string, 'read' | 'write' | 'signature'>> = {
  'POST /cas/g1/:domain/v1/xorbs/:prefix/:hash': 'write',
  'POST /cas/g1/:domain/xorbs/:prefix/:hash': 'write',
  'POST /cas/g1/:domain/xorb/:prefix/:hash': 'write',
  'GET /cas/g1/:domain/v1/xorbs/:prefix/:hash': 'write',
  'GET /cas/g1/:domain/xorbs/:prefix/:hash': 'write',
  'GET /cas/g1/:domain/xorb/:prefix/:hash': 'write',
  'GET /cas/g1/:domain/v1/chunks/:prefix/:hash': 'write',
  'GET /cas/g1/:domain/chunks/:prefix/:hash': 'write',
  'GET /cas/g1/:domain/chunk/:prefix/:hash': 'write',
  'POST /cas/g1/:domain/v1/shards': 'write',
  'POST /cas/g1/:domain/shards': 'write',
  'POST /cas/g1/:domain/shard/:prefix/:hash': 'write',
  'POST /cas/g1/:domain/v2/shards': 'write',
  'GET /cas/g1/:domain/v1/reconstructions/:file': 'read',
  'GET /cas/g1/:domain/reconstructions/:file': 'read',
  'GET /cas/g1/:domain/reconstruction/:file': 'read',
  'GET /cas/g1/:domain/v2/reconstructions/:file': 'read',
  'GET /cas/g1/:domain/v1/files/:file': 'read',
  'GET /cas/g1/:domain/fetch/:hash': 'signature',
}

/** Every other route. */
export const HUB_ROUTES: Readonly<Record<string, Rule<HubNeed>>> = {
  'GET /health': 'public',
  'GET /metrics': 'metrics',
  'GET /v2/': 'public',
  'GET /api/whoami-v2': 'account',
  'POST /api/validate-yaml': 'public',
  'POST /api/repos/create': ['create', 409],
  'GET /api/models': 'public',
  'GET /api/datasets': 'public',
  'GET /api/spaces': 'public',
  'GET /api/models-tags-by-type': 'public',
  'GET /api/datasets-tags-by-type': 'public',
  'GET /api/quicksearch': 'public',
  'GET /api/trending': 'public',
  'GET /api/tasks': 'public',
  'GET /api/metrics': 'public',
  'POST /oauth/device': ['public', 400],
  'GET /api/users/:user/likes': 'public',
  'GET /api/users/:user/overview': 'public',
  'GET /api/users/:user/followers': 'public',
  'GET /api/users/:user/following': 'public',
  'GET /api/users/:user/avatar': 'public',
  'GET /api/users/:user/socials': 'public',
  'GET /api/organizations/:org/overview': 'public',
  'GET /api/organizations/:org/members': 'public',
  'GET /api/organizations/:org/members?email=viewer@example.org': 'find',
  'PUT /api/organizations/:org/members/:user/role': 'members',
  'GET /api/organizations/:org/followers': 'public',
  'GET /api/organizations/:org/avatar': 'public',
  'GET /api/organizations/:org/socials': 'public',
  'GET /api/avatars/:name': 'public',
  'GET /api/settings/repositories': 'storage',
  'GET /api/organizations/:org/settings/repositories': 'org storage',
  'GET /api/settings/tokens': 'account',
  'POST /api/settings/tokens': ['tokens', 200, 409],
  'POST /api/settings/tokens/:token/rotate': ['account', 404],
  'DELETE /api/settings/tokens/:token': ['account', 404],
  'POST /api/admin': 'hub',
}

/** These look at no credential, not even at a wrong one: the status that everybody gets. */
export const DEAF_ROUTES: Readonly<Record<string, number>> = { 'GET /v2/token': 501 }

/** The cell of a table's row. */
export function cell<Need extends string>(needs: readonly Need[], row: string, need: Need): Outcome {
  return row.split(' ')[needs.indexOf(need)] as Outcome
}

export function ruleOf<Need extends string>(rule: Rule<Need>): { need: Need; statuses: readonly number[] } {
  if (typeof rule === 'string') return { need: rule, statuses: [200] }
  const [need, ...statuses] = rule
  return { need, statuses }
}

/** The tables as docs/operations.md shows them. */
export function formatPolicy(): string {
  const rows = Object.entries(ON_REPOS).map(([name, [open, shut]]) => {
    const cells = [
      words(REPO_NEEDS, open),
      words(REPO_NEEDS, shut),
      words(HUB_NEEDS, ON_HUB[name as PrincipalName]),
    ]
    return `| ${[name, ...cells].join(' | ')} |`
  })
  return ['| | public repository | private repository | the hub |', '|---|---|---|---|', ...rows].join('\n')
}

function words<Need extends string>(needs: readonly Need[], row: string): string {
  const outcomes = row.split(' ')
  const allowed = needs.filter((_, index) => outcomes[index] === 'yes')
  if (allowed.length === needs.length) return 'everything'
  return allowed.length > 0 ? allowed.join(', ') : outcomes[0] === 'bad' ? '401' : (outcomes[0] ?? '')
}
