/**
 * The one place where addresses are made. All are absolute and carry the registry's prefix (clients.md §0.1): Python
 * raises on a relative `Link`, JS silently stops at page 1.
 */
import { BlockList, isIP, isIPv6 } from 'node:net'

import { HubError } from '@cairn/protocol/errors'
import { formatRepoPath, type RepoName } from '@cairn/protocol/repo-id'

/** Where a request came in: `base` has no trailing slash and ends in the registry's prefix. */
export interface Site {
  /** Scheme, host and port, and the path of `--public-url`. */
  origin: string
  /** Empty, or `/{org}/{registry}/huggingface`. */
  prefix: string
  base: string
}

export interface IncomingAddress {
  host: string | undefined
  encrypted: boolean
  /** What a configured proxy says in X-Forwarded-*. Null when the peer is none: it could say anything. */
  forwarded: { proto: string | undefined; host: string | undefined; prefix: string | undefined } | null
}

const HOST = /^(?:\[[0-9a-f:.]+\]|[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?)(?::\d{1,5})?$/i
const PREFIX = /^(?:\/[A-Za-z0-9._~-]+)+$/

export function siteOf(publicUrl: string | null, address: IncomingAddress, prefix: string): Site {
  const origin = publicUrl ?? requestOrigin(address)
  return { origin, prefix, base: origin + prefix }
}

/** A Host header that is not one would end up in every answer; it is refused instead. */
function requestOrigin(address: IncomingAddress): string {
  const first = (header: string | undefined) => header?.split(',')[0]?.trim()
  const host = first(address.forwarded?.host) ?? address.host
  if (host === undefined || !HOST.test(host))
    throw new HubError('BadRequest', 'The Host header is missing or malformed')
  const proto = first(address.forwarded?.proto) ?? (address.encrypted ? 'https' : 'http')
  if (proto !== 'http' && proto !== 'https')
    throw new HubError('BadRequest', 'X-Forwarded-Proto is neither http nor https')
  const prefix = first(address.forwarded?.prefix)?.replace(/\/+$/, '') ?? ''
  if (prefix !== '' && !PREFIX.test(prefix))
    throw new HubError('BadRequest', 'X-Forwarded-Prefix is malformed')
  return `${proto}://${host}${prefix}`
}

/**
 * The web address of a repository. Under a prefix, a registry's or a proxy's, models get a `models/` segment:
 * huggingface_hub 0.19.4 to 1.1.7 parse the address and take the prefix's last word for a repository type otherwise
 * (clients.md §4).
 */
export function repoUrl(site: Pick<Site, 'base'>, repo: RepoName): string {
  const isPrefixed = new URL(site.base).pathname !== '/'
  const path = isPrefixed && repo.type === 'model' ? `models/${formatRepoPath(repo)}` : formatRepoPath(repo)
  return `${site.base}/${path}`
}

export function repoApiUrl(site: Site, repo: RepoName): string {
  return `${site.base}/api/${repo.type}s/${repo.namespace}/${repo.name}`
}

/**
 * Each deduplication domain has a CAS address of its own. hf_xet (1.8.0) keeps what it knows of stored xorbs by this
 * address, so under a common one it would refer an upload to xorbs that only another domain has.
 */
export function casUrl(site: Site, domainId: string): string {
  return `${site.base}/cas/g1/${domainId}`
}

/** The picture of a user or an organization. */
export function avatarUrl(site: Site, account: string): string {
  return `${site.base}/api/avatars/${encodeURIComponent(account)}`
}

/** `Link` to the next page, or nothing on the last one. */
export function nextPageHeaders(
  site: Site,
  pathAndQuery: string,
  cursor: string | null,
): Record<string, string> {
  return cursor === null ? {} : { Link: nextPageLink(site, pathAndQuery, cursor) }
}

/** The same address with one query parameter set anew: the `Link` of the next page. */
export function nextPageLink(site: Site, pathAndQuery: string, cursor: string): string {
  const url = new URL(pathAndQuery, 'http://any.invalid')
  url.searchParams.set('cursor', cursor)
  return `<${site.base}${url.pathname}${url.search}>; rel="next"`
}

/** What a request's path means before any route is looked at. */
export interface RoutedPath {
  /** Path and query as the routes know them. */
  url: string
  /** Set when the address is that of a registry. */
  registry: { org: string; slug: string } | null
}

/** First segments behind which `/{x}/{y}/huggingface` is a repository's path and not a registry's prefix. */
const NOT_AN_ORGANIZATION = new Set(['api', 'datasets', 'spaces', 'models', 'cas', 'oauth'])

/**
 * Collapses leading slashes (an HF_ENDPOINT with a trailing slash makes `//api/…`), takes the path of the public
 * address and a registry's prefix off, and maps `/models/{ns}/{name}…` to `/{ns}/{name}…`.
 */
export function routePath(rawUrl: string, publicPath = ''): RoutedPath {
  let url = rawUrl.replace(/^\/{2,}/, '/')
  if (publicPath !== '' && url.startsWith(publicPath) && /^(?:[/?]|$)/.test(url.slice(publicPath.length)))
    url = url.slice(publicPath.length).replace(/^\/*/, '/')
  const prefix = /^\/([A-Za-z0-9_.-]+)\/([A-Za-z0-9_.-]+)\/huggingface(?=\/|\?|$)/.exec(url)
  let registry: RoutedPath['registry'] = null
  if (
    prefix?.[1] !== undefined &&
    prefix[2] !== undefined &&
    !NOT_AN_ORGANIZATION.has(prefix[1].toLowerCase())
  ) {
    registry = { org: prefix[1], slug: prefix[2] }
    url = url.slice(prefix[0].length).replace(/^\/*/, '/')
  }
  if (/^\/models\/[^/?]+\/[^/?]+/.test(url)) url = url.slice('/models'.length)
  return { url, registry }
}

/** Where a request comes from: the peer, or the nearest address that the trusted proxies in front of it name. */
export function clientAddress(
  peer: string | undefined,
  forwardedFor: string | undefined,
  isTrustedPeer: (peer: string | undefined) => boolean,
): string {
  let address = peer ?? ''
  const hops = forwardedFor?.split(',').map((hop) => hop.trim()) ?? []
  while (isTrustedPeer(address)) {
    const hop = hops.pop()
    if (hop === undefined || isIP(hop) === 0) break
    address = hop
  }
  return address
}

/** Tells whether a peer is one of the configured proxies: addresses, or networks such as `10.0.0.0/8` and `fd00::/8`. */
export function trustedPeers(networks: readonly string[]): (peer: string | undefined) => boolean {
  // Most hubs trust nobody, and a look into a list costs a microsecond.
  if (networks.length === 0) return () => false
  const list = new BlockList()
  for (const network of networks) {
    const [address = '', bits] = network.split('/')
    const family = isIPv6(address) ? 'ipv6' : 'ipv4'
    if (bits === undefined) list.addAddress(address, family)
    else list.addSubnet(address, Number(bits), family)
  }
  return (peer) => peer !== undefined && list.check(peer, isIPv6(peer) ? 'ipv6' : 'ipv4')
}

/** `/api/models/gpt2…` and `/gpt2/resolve/…`: the id that the address has in place of `namespace/name`. */
export function bareRepoName(url: string): { name: string } | null {
  const path = url.split('?', 1)[0] ?? ''
  const api =
    /^\/api\/(?:models|datasets|spaces)\/([^/]+)(?:\/(?:revision|tree|refs|commits|paths-info|resolve)(?:\/.*)?)?$/
  const web = /^(?:\/(?:models|datasets|spaces))?\/([^/]+)\/(?:resolve|raw)\/.+$/
  const name = (api.exec(path) ?? web.exec(path))?.[1]
  if (name === undefined) return null
  try {
    return { name: decodeURIComponent(name) }
  } catch {
    // No name has a malformed escape.
    return null
  }
}
