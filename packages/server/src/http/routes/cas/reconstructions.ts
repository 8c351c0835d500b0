/** Reconstructions: xet.md §6.1. JS asks V2 only, hf_xet before 1.5 V1 only. */

import { HubError } from '@cairn/protocol/errors'
import type { RawRange } from '@cairn/protocol/xet/reconstruction'
import { formatReconstruction, type FetchUrl } from '@cairn/protocol/xet/reconstruction-json'

import { openGrant } from '../../../ops/xet/grants.ts'
import { fileSize, reconstruct, signXorb } from '../../../ops/xet/reconstruct.ts'
import { casCredential } from '../../auth.ts'
import { countDownload } from '../../count-download.ts'
import type { Reply } from '../../reply.ts'
import type { Call, Route } from '../../route.ts'
import { casUrl } from '../../urls.ts'

async function plan(call: Call, version: 1 | 2): Promise<Reply> {
  const { ops, headers, params, site } = call
  const grant = await openGrant(ops, casCredential({ headers, params }), 'read')
  const { repo, client } = grant
  const found = await reconstruct(ops, repo, params['file'] ?? '', rangeOf(headers.range))
  countDownload(call, repo.id, client)
  const url: FetchUrl = (xorb, { start, end }) => {
    const { domainId } = found
    const signed = signXorb(ops, grant, { domainId, hash: xorb, range: { start, end } })
    const { repoId, bearer, expires, signature } = signed
    const query = { range: `${start}-${end}`, repo: repoId, by: bearer, expires: String(expires), signature }
    return `${casUrl(site, domainId)}/fetch/${xorb}?${new URLSearchParams(query).toString()}`
  }
  return { headers: { 'Cache-Control': 'no-store' }, jsonSlices: formatReconstruction(found, version, url) }
}

/** hf_xet asks for ranges far beyond the end, up to 2^64 − 2. */
function rangeOf(header: string | undefined): RawRange | null {
  const match = /^bytes=(\d{1,20})-(\d{1,20})$/.exec(header?.trim() ?? '')
  return match === null ? null : { start: BigInt(match[1] ?? 0), end: BigInt(match[2] ?? 0) }
}

/** The length is all that this address tells: xet.md §6 has it for HEAD only. */
async function refuseBody(): Promise<never> {
  throw new HubError('NotImplemented', 'Files are read by the addresses of their reconstruction')
}

const V1_PATHS = [
  '/cas/g1/:domain/v1/reconstructions/:file',
  '/cas/g1/:domain/reconstructions/:file',
  '/cas/g1/:domain/reconstruction/:file',
]

export const reconstructionRoutes: readonly Route[] = [
  ...V1_PATHS.map((path): Route => ({
    method: 'GET',
    ownCredential: true,
    path,
    hub: 'GET {cas}/v1/reconstructions/{file}',
    handle: (call) => plan(call, 1),
  })),
  {
    method: 'GET',
    ownCredential: true,
    path: '/cas/g1/:domain/v2/reconstructions/:file',
    hub: 'GET {cas}/v2/reconstructions/{file}',
    handle: (call) => plan(call, 2),
  },
  {
    method: 'GET',
    ownCredential: true,
    path: '/cas/g1/:domain/v1/files/:file',
    hub: 'HEAD {cas}/v1/files/{file}',
    async handle({ ops, headers, params }) {
      const { repo } = await openGrant(ops, casCredential({ headers, params }), 'read')
      const sizeBytes = await fileSize(ops, repo, params['file'] ?? '')
      return { content: { source: { sizeBytes, open: refuseBody } } }
    },
  },
]
