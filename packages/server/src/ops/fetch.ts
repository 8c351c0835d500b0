/**
 * `git clone` and `git fetch`: git answers, the hub says what may be asked for.
 *
 * git's protocol version 2 gives out any object that a client can name, reachable or not, and versions 0 and 1 do the
 * same for files. But what a force push, a deleted branch or a purge took out of a repository is meant to be gone,
 * also before the background gets round to deleting it. So every `want` must be reachable from a ref, here, before
 * git sees it; git's own checks are then switched off (`uploadpack.allowAnySHA1InWant`). That gives partial clones
 * the files they leave for later, and everybody a commit by its id. A `shallow` is a want of what lies behind it: with
 * `deepen` git sends the parents of any commit that a client says its history ends at. Of hidden ones git is not told.
 */
import { parseFetchRequest, type FetchRequest, withoutShallows } from '@cairn/protocol/git/fetch-request'
import { encodePacket } from '@cairn/protocol/git/pkt-line'

import { FETCH_WANTS_STAT_MAX } from '../limits.ts'
import type { RepoRow } from '../store/catalog/catalog.ts'
import { repoFor, type Principal, type RepoLocator } from './access.ts'
import type { OpsContext } from './context.ts'
import { assertProjected } from './land.ts'

export type GitVersion = 0 | 1 | 2

export interface Connection {
  /** What counts as one client without a credential. */
  network: string
  /** Aborted when the client went away. */
  signal: AbortSignal
}

function askerOf(principal: Principal, { network, signal }: Connection) {
  return { client: principal.kind === 'user' ? principal.accountId : network, signal }
}

const PULL_REQUESTS = 'refs/pr'

/** The first answer: refs in versions 0 and 1, capabilities in version 2. */
export async function advertiseFetch(
  ctx: OpsContext,
  principal: Principal,
  locator: RepoLocator,
  version: GitVersion,
  from: Connection,
): Promise<AsyncIterable<Uint8Array>> {
  const repo = await repoFor(ctx, principal, locator, 'read')
  await assertProjected(ctx, repo)
  const asker = askerOf(principal, from)
  return ctx.git.serveFetch(repo.id, { version, request: null, hide: [], ...asker })
}

/** `read` gives the whole request, inflated. */
export async function fetch(
  ctx: OpsContext,
  principal: Principal,
  locator: RepoLocator,
  version: GitVersion,
  read: () => Promise<Uint8Array>,
  from: Connection,
): Promise<AsyncIterable<Uint8Array>> {
  const repo = await repoFor(ctx, principal, locator, 'read')
  const body = await read()
  const asked = parseFetchRequest(body, version)
  await assertProjected(ctx, repo)
  const refs = await ctx.catalog.rows.refs.list(repo.id)
  const asker = askerOf(principal, from)
  const walk = { tips: [...new Set(refs.map(({ oid }) => oid))], ...asker }
  const hidden = await hiddenWant(ctx, repo, asked, walk)
  if (hidden !== null) return refusal(`upload-pack: not our ref ${hidden}`)
  const beyond = await ctx.git.unreachedCommits(repo.id, asked.shallows, walk)
  const request = beyond.length === 0 ? body : withoutShallows(body, new Set(beyond))
  // Most clients ask for branches and tags. Who asks for everything is spared a ref for every pull request there was.
  const hide = asked.command === 'ls-refs' && !asked.hasPrefixes ? [PULL_REQUESTS] : []
  return ctx.git.serveFetch(repo.id, { version, request, hide, ...asker })
}

/** A want that no ref leads to, or null. */
async function hiddenWant(
  ctx: OpsContext,
  repo: RepoRow,
  { wants }: FetchRequest,
  walk: Parameters<OpsContext['git']['reachObjects']>[2],
): Promise<string | null> {
  const tips = new Set(walk.tips)
  const others = [...new Set(wants)].filter((oid) => !tips.has(oid))
  if (others.length === 0) return null
  let objects = others
  if (others.length <= FETCH_WANTS_STAT_MAX) {
    const stats = await Promise.all(others.map((oid) => ctx.git.stat(repo.id, oid)))
    const absent = others.find((_, index) => stats[index] === null)
    if (absent !== undefined) return absent
    // Commits are found without a look into their folders.
    const commits = others.filter((_, index) => stats[index]?.type === 'commit')
    const [hidden] = await ctx.git.unreachedCommits(repo.id, commits, walk)
    if (hidden !== undefined) return hidden
    objects = others.filter((_, index) => stats[index]?.type !== 'commit')
  }
  if (objects.length === 0) return null
  return (await ctx.git.reachObjects(repo.id, objects, walk)) ? null : (objects[0] ?? null)
}

/** As git says it itself; every client prints it. */
async function* refusal(message: string): AsyncGenerator<Uint8Array> {
  yield encodePacket(`ERR ${message}`)
}
