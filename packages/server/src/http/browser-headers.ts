/**
 * What browsers need to know of every answer. Tokens travel in a header, never in a cookie, so a page of any origin
 * may ask; it gets what its token may see. A page of the internet asking for a hub in its visitor's own network is
 * another matter: `Access-Control-Allow-Private-Network` is never sent.
 */
import { PREFLIGHT_AGE_S } from '../limits.ts'

const EXPOSED = [
  'ETag',
  'Link',
  'Location',
  'Content-Range',
  'Content-Disposition',
  'Accept-Ranges',
  'X-Repo-Commit',
  'X-Request-Id',
  'X-Error-Code',
  'X-Error-Message',
  'X-Total-Count',
  'X-Linked-Size',
  'X-Linked-ETag',
  'X-Xet-Hash',
  'X-Xet-Refresh-Route',
  'X-Xet-Cas-Url',
  'X-Xet-Access-Token',
  'X-Xet-Token-Expiration',
  'RateLimit',
  'RateLimit-Policy',
  'Retry-After',
].join(', ')

export const BROWSER_HEADERS = {
  'Access-Control-Allow-Origin': '*',
  'Access-Control-Expose-Headers': EXPOSED,
  'X-Content-Type-Options': 'nosniff',
}

/** `*` stands for every header but Authorization; the names are for browsers that do not know it. */
export const PREFLIGHT_HEADERS = {
  'Access-Control-Allow-Methods': 'GET, HEAD, POST, PUT, DELETE, PATCH, OPTIONS',
  'Access-Control-Allow-Headers':
    'Authorization, Range, Content-Type, Accept, X-Request-Id, X-Xet-Session-Id, X-Range-Dirty, *',
  'Access-Control-Max-Age': String(PREFLIGHT_AGE_S),
}
