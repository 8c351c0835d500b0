/**
 * The gate that every request passes: who asks, and whether that account or address may ask now. The headers are
 * those of the Hub (clients.md §0.17). Where limits are off it only authenticates.
 */
import { isIPv6 } from 'node:net'

import { HubError } from '@cairn/protocol/errors'
import { LRUCache } from 'lru-cache'

import { ACCEPTED_TOKENS_MAX } from '../limits.ts'
import type { Principal } from '../ops/access.ts'
import { authenticate } from '../ops/authenticate.ts'
import type { OpsContext } from '../ops/context.ts'
import { WindowCounter, type RateBucket, type RateLimits, type Standing } from '../ops/rate-limits.ts'
import type { Headers } from './reply.ts'

export interface Visit {
  /** As routed, without the prefix of a registry. */
  url: string
  /** Where it comes from, behind all trusted proxies. */
  address: string
  credential: string | null
  /** Its route judges the credential by itself; asking for that credential was counted. */
  ownCredential: boolean
}

export interface Gate {
  /** The principal of a visit that may go on. The answer's headers get those that say how many more may. */
  admit(visit: Visit, headers: Headers): Promise<Principal>
}

export function openGate(
  ops: OpsContext,
  limits: RateLimits,
  isTrustedPeer: (address: string) => boolean,
): Gate {
  const identify =
    limits.failures === null
      ? ({ credential }: Visit) => authenticate(ops, credential)
      : identifier(ops, limits.windowS, limits.failures, isTrustedPeer)
  const visitor = async (visit: Visit): Promise<Principal> =>
    visit.ownCredential || visit.credential === null ? { kind: 'anonymous' } : identify(visit)
  const { quotas, windowS } = limits
  if (quotas === null) return { admit: visitor }
  const counter = new WindowCounter(windowS, ops.clock)

  return {
    async admit(visit, headers) {
      const principal = await visitor(visit)
      const bucket = visit.ownCredential ? null : bucketOf(visit.url)
      if (bucket === null) return principal
      const isAccount = principal.kind === 'user'
      // A proxy that does not say for whom it asks would be one client for all of them.
      if (!isAccount && isTrustedPeer(visit.address)) return principal
      const client = isAccount ? principal.accountId : clientOfAddress(visit.address)
      const quota = quotas[isAccount ? 'account' : 'anonymous'][bucket]
      const standing = counter.take(`${bucket} ${client}`, quota)
      headers['RateLimit'] = `"${bucket}";r=${standing.remaining};t=${standing.resetS}`
      headers['RateLimit-Policy'] = `"fixed window";"${bucket}";q=${quota};w=${windowS}`
      if (!standing.granted)
        throw tooMany(
          standing,
          `${isAccount ? 'Your account has' : 'Your address has, without a token,'} made the ${quota} requests of the kind '${bucket}' that it may make in ${windowS} seconds.`,
        )
      return principal
    },
  }
}

/**
 * Authenticates, and after `failuresMax` wrong credentials from an address refuses its credentials until the window
 * ends: right ones too, or guessing could go on. A token that was seen at that address before goes on working, so that
 * nobody shuts out those who share it.
 */
function identifier(
  ops: OpsContext,
  windowS: number,
  failuresMax: number,
  isTrustedPeer: (address: string) => boolean,
): (visit: Visit) => Promise<Principal> {
  const failures = new WindowCounter(windowS, ops.clock)
  const accepted = new LRUCache<string, true>({ max: ACCEPTED_TOKENS_MAX })

  return async ({ address, credential }) => {
    if (isTrustedPeer(address)) return authenticate(ops, credential)
    const client = clientOfAddress(address)
    let principal: Principal
    try {
      principal = await authenticate(ops, credential)
    } catch (error) {
      if (!(error instanceof HubError) || error.code !== 'InvalidCredentials') throw error
      const standing = failures.take(client, failuresMax)
      throw standing.granted ? error : tooManyFailures(standing)
    }
    const known = `${client} ${principal.kind === 'user' ? principal.tokenId : ''}`
    if (accepted.get(known) !== undefined) return principal
    const standing = failures.look(client, failuresMax)
    if (!standing.granted) throw tooManyFailures(standing)
    accepted.set(known, true)
    return principal
  }
}

function tooManyFailures(standing: Standing): HubError {
  return tooMany(standing, `${standing.quota} wrong credentials came from your address: check the token.`)
}

function tooMany({ resetS }: Standing, what: string): HubError {
  return new HubError('TooManyRequests', `${what} Try again in ${resetS} seconds.`, {
    headers: { 'Retry-After': String(resetS) },
  })
}

/**
 * The Hub's buckets. Git, LFS and CAS belong to the API: here they have no host of their own. `raw` and Ollama's pulls
 * belong to the resolvers, since they serve content. Null: never limited.
 */
export function bucketOf(url: string): RateBucket | null {
  const path = url.split('?', 1)[0] ?? ''
  if (path === '/health') return null
  if (/^\/(?:api|oauth|cas|\.well-known)\//.test(path)) return 'api'
  if (path.startsWith('/v2/') || /\/(?:resolve|raw)\//.test(path)) return 'resolvers'
  return /\/(?:info\/(?:refs|lfs\/.*)|git-(?:upload|receive)-pack)$/.test(path) ? 'api' : 'pages'
}

/** Whoever has one IPv6 address has the other ones of its network, 2^64 of them. */
export function clientOfAddress(address: string): string {
  if (!isIPv6(address)) return address
  const canonical = new URL(`http://[${address.split('%', 1)[0]}]`).hostname.slice(1, -1)
  const [head = '', tail] = canonical.split('::')
  const before = head === '' ? [] : head.split(':')
  const after = tail === undefined || tail === '' ? [] : tail.split(':')
  const groups = [...before, ...Array<string>(8 - before.length - after.length).fill('0'), ...after]
  // IPv4 written as IPv6, and the machine itself.
  if (groups.slice(0, 5).every((group) => group === '0')) return canonical
  return `${groups.slice(0, 4).join(':')}::/64`
}
