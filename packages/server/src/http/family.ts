/** Which kind of route a pattern is, for counting; and how a body finds out whose it is. */
import type { IncomingMessage } from 'node:http'

import type { Family, Tally } from '../ops/traffic.ts'

/** The first that fits. */
const FAMILY_PATTERNS: readonly (readonly [RegExp, Family])[] = [
  [/^\/health$/, 'health'],
  [/^\/metrics$/, 'metrics'],
  [/^\/api\/admin$/, 'admin'],
  [/^\{api\}\/commit\//, 'commit'],
  [/^(?:\{api\}|\/(?:api|oauth|\.well-known)\/)/, 'api'],
  [/^\/v2\//, 'ollama'],
  [/^\/cas\/.*\/(?:xorbs?|fetch)\//, 'xorb'],
  [/^\/cas\/.*\/chunks?\//, 'chunk'],
  [/^\/cas\/.*\/shards?(?:\/|$)/, 'shard'],
  [/^\/cas\//, 'reconstruction'],
  [/\/info\/lfs\/locks/, 'lfs-locks'],
  [/\/info\/lfs\/(?:objects\/batch|verify)$/, 'lfs-batch'],
  [/\/info\/lfs\//, 'lfs'],
  [/\/git-upload-pack$/, 'git-fetch'],
  [/\/git-receive-pack$/, 'git-push'],
  [/\/(?:info\/refs|HEAD|objects\/\*)$/, 'git-refs'],
  [/\/(?:resolve|raw)\/\*$/, 'resolve'],
]

/** Of a route's own pattern, never of an address that somebody sent. */
export function familyOf(pattern: string): Family {
  return FAMILY_PATTERNS.find(([part]) => part.test(pattern))?.[1] ?? 'none'
}

const TALLY = Symbol('tally')
type Counted = IncomingMessage & { [TALLY]?: Tally }

export function countTowards(request: IncomingMessage, tally: Tally): void {
  ;(request as Counted)[TALLY] = tally
}

/** Call for each chunk of a body that has arrived. */
export function countReceived(request: IncomingMessage, sizeBytes: number): void {
  const tally = (request as Counted)[TALLY]
  if (tally !== undefined) tally.receivedBytes += sizeBytes
}

/** Call for each chunk of an answer that is written. */
export function countSent(request: IncomingMessage, sizeBytes: number): void {
  const tally = (request as Counted)[TALLY]
  if (tally !== undefined) tally.sentBytes += sizeBytes
}
