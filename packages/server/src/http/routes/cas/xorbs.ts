/** Xorbs: xet.md §6. hf_xet before 1.2 used the paths without `/v1`, before 1.1.10 the singular ones. */
import { HubError } from '@cairn/protocol/errors'
import { XET_XORB_MAX_BYTES } from '@cairn/protocol/limits'

import { findChunk } from '../../../ops/xet/dedup.ts'
import { openGrant, seesDomain } from '../../../ops/xet/grants.ts'
import { openXorb, xorbSize } from '../../../ops/xet/reconstruct.ts'
import { receiveXorb } from '../../../ops/xet/upload.ts'
import { casCredential } from '../../auth.ts'
import { passChunks } from '../../body.ts'
import { OPAQUE_HEADERS } from '../../content-headers.ts'
import { firstOf, readDigits } from '../../query.ts'
import type { Reply } from '../../reply.ts'
import type { Call, Route } from '../../route.ts'

async function post({ ops, headers, params, body }: Call): Promise<Reply> {
  const grant = await openGrant(ops, casCredential({ headers, params }), 'write')
  const mayKnow = await seesDomain(ops, grant)
  const bytes = passChunks(body, XET_XORB_MAX_BYTES)
  const { inserted } = await receiveXorb(ops, grant.repo, params['hash'] ?? '', bytes, { mayKnow })
  return { json: { was_inserted: inserted } }
}

async function stat({ ops, headers, params }: Call): Promise<Reply> {
  // Uploading clients ask about xorbs and chunks: who may only read a repository learns nothing of its domain.
  const grant = await openGrant(ops, casCredential({ headers, params }), 'write')
  const sizeBytes = await xorbSize(ops, grant, params['hash'] ?? '')
  return { headers: { 'X-Xorb-Size': sizeBytes }, content: { source: { sizeBytes, open: refuseBody } } }
}

/** Whole xorbs carry the raw hashes of chunks that the caller may not know (xet.md §8.3). */
async function refuseBody(): Promise<never> {
  throw new HubError('NotImplemented', 'Xorbs are fetched by the addresses of a reconstruction only')
}

async function chunk({ ops, headers, params }: Call): Promise<Reply> {
  const grant = await openGrant(ops, casCredential({ headers, params }), 'write')
  const bytes = await findChunk(ops, grant, params['hash'] ?? '')
  return { headers: OPAQUE_HEADERS, bytes: Buffer.from(bytes) }
}

async function fetchRange({ ops, params, query, headers }: Call): Promise<Reply> {
  const [start = NaN, end = NaN] = (firstOf(query, 'range') ?? '').split('-', 2).map(readDigits)
  const range = { start, end }
  const source = await openXorb(ops, {
    domainId: params['domain'] ?? '',
    hash: params['hash'] ?? '',
    range,
    repoId: firstOf(query, 'repo') ?? '',
    bearer: firstOf(query, 'by') ?? '',
    expires: readDigits(firstOf(query, 'expires')),
    signature: firstOf(query, 'signature') ?? '',
  })
  // Signed for one range: a client that asks for another, or for all, gets nothing else than that.
  if (headers.range !== undefined && headers.range.trim() !== `bytes=${start}-${end}`)
    throw new HubError('Forbidden', 'This address is signed for another range')
  return {
    status: 206,
    headers: {
      ...OPAQUE_HEADERS,
      'Content-Range': `bytes ${start}-${end}/${source.sizeBytes}`,
      'Cache-Control': 'private, immutable',
    },
    content: { source, range },
  }
}

const PREFIXES = ['/cas/g1/:domain/v1/xorbs', '/cas/g1/:domain/xorbs', '/cas/g1/:domain/xorb']
const CHUNK_PREFIXES = ['/cas/g1/:domain/v1/chunks', '/cas/g1/:domain/chunks', '/cas/g1/:domain/chunk']

export const xorbRoutes: readonly Route[] = [
  ...PREFIXES.flatMap((prefix): Route[] => [
    {
      method: 'POST',
      ownCredential: true,
      path: `${prefix}/:prefix/:hash`,
      hub: 'POST {cas}/v1/xorbs/{prefix}/{hash}',
      handle: post,
    },
    {
      method: 'GET',
      ownCredential: true,
      path: `${prefix}/:prefix/:hash`,
      hub: 'HEAD {cas}/v1/xorbs/{prefix}/{hash}',
      handle: stat,
    },
  ]),
  ...CHUNK_PREFIXES.map((prefix): Route => ({
    method: 'GET',
    ownCredential: true,
    path: `${prefix}/:prefix/:hash`,
    hub: 'GET {cas}/v1/chunks/{prefix}/{hash}',
    handle: chunk,
  })),
  { method: 'GET', ownCredential: true, path: '/cas/g1/:domain/fetch/:hash', hub: null, handle: fetchRange },
]
