/** git-lfs' batch API and the signed addresses that it hands out. hub-api.md §8. */
import { setImmediate as pause } from 'node:timers/promises'

import { parseRange } from '@cairn/protocol/api/ranges'
import { HubError } from '@cairn/protocol/errors'
import { parseBatch } from '@cairn/protocol/lfs/batch'
import { formatRepoPath } from '@cairn/protocol/repo-id'
import { z } from 'zod'

import { LFS_BATCH_BODY_MAX_BYTES, LFS_COMPLETE_BODY_MAX_BYTES, LFS_PARTS_MAX } from '../../limits.ts'
import { repoFor } from '../../ops/access.ts'
import {
  completeParts,
  openAddress,
  openObject,
  planBatch,
  receiveObject,
  receivePart,
  signAddress,
  verifyObject,
  type LfsAddress,
  type LfsPlan,
} from '../../ops/lfs.ts'
import { grantCas } from '../../ops/xet/grants.ts'
import { passChunks, readJson } from '../body.ts'
import { OPAQUE_HEADERS } from '../content-headers.ts'
import { clientOf, countDownload } from '../count-download.ts'
import { firstOf, readDigits } from '../query.ts'
import type { Call, Route } from '../route.ts'
import { casUrl, repoApiUrl } from '../urls.ts'

const LFS_JSON = { 'Content-Type': 'application/vnd.git-lfs+json' }

const Verify = z.object({ oid: z.string().regex(/^[0-9a-f]{64}$/), size: z.number().int().nonnegative() })
const Complete = z.object({
  oid: z.string(),
  parts: z
    .array(z.object({ partNumber: z.number().int().positive(), etag: z.string().max(200) }))
    .max(LFS_PARTS_MAX),
})

export const lfsRoutes: readonly Route[] = [
  {
    method: 'POST',
    path: '{web}/info/lfs/objects/batch',
    hub: 'POST /{id}.git/info/lfs/objects/batch',
    async handle(call) {
      const request = parseBatch(await readJson(call.body, z.unknown(), LFS_BATCH_BODY_MAX_BYTES))
      const { repo, transfer, objects } = await planBatch(call.ops, call.principal, call.repo, request)
      const xet = transfer === 'xet' ? await xetAction(call, request.ref) : null
      const shapes: object[] = []
      for (const plan of objects) {
        shapes.push(objectShape(call, repo, plan, xet))
        // The addresses of one object with many parts take a while to sign.
        if (plan.state === 'multipart') await pause()
      }
      return {
        headers: LFS_JSON,
        json: {
          transfer,
          objects: shapes,
          hash_algo: 'sha256',
        },
      }
    },
  },
  {
    method: 'PUT',
    ownCredential: true,
    path: '{web}/info/lfs/objects/:oid',
    hub: null,
    async handle(call) {
      const address = addressOf(call, 'put')
      const repo = await openAddress(call.ops, call.repo, address, signatureOf(call))
      await receiveObject(call.ops, repo, address, passChunks(call.body, address.sizeBytes))
      return { status: 200 }
    },
  },
  {
    method: 'GET',
    ownCredential: true,
    path: '{web}/info/lfs/objects/:oid',
    hub: null,
    async handle(call) {
      const address = addressOf(call, 'get')
      const repo = await openAddress(call.ops, call.repo, address, signatureOf(call))
      const source = await openObject(call.ops, repo, address.oid)
      const headers = {
        ...OPAQUE_HEADERS,
        ETag: `"${address.oid}"`,
        'Accept-Ranges': 'bytes',
      }
      const range = parseRange(call.headers.range, source.sizeBytes)
      if (range === 'unsatisfiable')
        throw new HubError('RangeNotSatisfiable', undefined, {
          headers: { 'Content-Range': `bytes */${source.sizeBytes}` },
        })
      countDownload(call, repo.id)
      if (range === null) return { headers, content: { source } }
      const contentRange = `bytes ${range.start}-${range.end}/${source.sizeBytes}`
      return {
        status: 206,
        headers: { ...headers, 'Content-Range': contentRange },
        content: { source, range },
      }
    },
  },
  {
    method: 'PUT',
    ownCredential: true,
    path: '{web}/info/lfs/objects/:oid/parts/:uploadId/:part',
    hub: null,
    async handle(call) {
      const { uploadId = '', part = '' } = call.params
      const address = {
        ...addressOf(call, 'part'),
        use: 'part' as const,
        uploadId,
        partNumber: readDigits(part),
      }
      const repo = await openAddress(call.ops, call.repo, address, signatureOf(call))
      const { etag } = await receivePart(
        call.ops,
        repo,
        address,
        passChunks(call.body, address.sizeBytes),
        address.sizeBytes,
      )
      return { status: 200, headers: { ETag: `"${etag}"` } }
    },
  },
  {
    method: 'POST',
    ownCredential: true,
    path: '{web}/info/lfs/objects/:oid/parts/:uploadId',
    hub: null,
    async handle(call) {
      const address = {
        ...addressOf(call, 'put'),
        use: 'complete' as const,
        uploadId: call.params['uploadId'] ?? '',
      }
      const repo = await openAddress(call.ops, call.repo, address, signatureOf(call))
      const { parts } = await readJson(call.body, Complete, LFS_COMPLETE_BODY_MAX_BYTES)
      await completeParts(call.ops, repo, address, parts)
      return { headers: LFS_JSON, json: {} }
    },
  },
  {
    method: 'POST',
    path: '{web}/info/lfs/verify',
    hub: null,
    async handle(call) {
      const { oid, size: sizeBytes } = await readJson(call.body, Verify)
      const signed = signatureOf(call)
      // git-lfs sends no credential to an address of a batch; who made the address up needs one.
      const repo =
        signed.signature === ''
          ? await repoFor(call.ops, call.principal, call.repo, 'read')
          : await openAddress(call.ops, call.repo, { use: 'verify', oid, sizeBytes }, signed)
      await verifyObject(call.ops, repo, { oid, sizeBytes })
      return { headers: LFS_JSON, json: {} }
    },
  },
]

type Action = { href: string; header?: Record<string, string>; expires_in?: number }

function objectShape(
  call: Call,
  repo: Parameters<typeof signAddress>[1],
  plan: LfsPlan,
  xet: Action | null,
): object {
  const { oid, sizeBytes } = plan
  const base = `${call.site.base}/${formatRepoPath(call.repo)}.git/info/lfs`
  const href = (path: string, address: LfsAddress) =>
    `${base}/${path}?${new URLSearchParams({ ...signAddress(call.ops, repo, address, call.principal) }).toString()}`
  const object = (actions: Record<string, Action>) => ({ oid, size: sizeBytes, authenticated: true, actions })
  const verify: Action = { href: href('verify', { use: 'verify', oid, sizeBytes }) }
  switch (plan.state) {
    case 'error':
      return { oid, size: sizeBytes, error: { code: plan.code, message: plan.message } }
    case 'present':
      return { oid, size: sizeBytes }
    case 'xet':
      return object({ upload: xet ?? { href: base } })
    case 'download':
      return object({ download: { href: href(`objects/${oid}`, { use: 'get', oid, sizeBytes }) } })
    case 'basic':
      return object({ upload: { href: href(`objects/${oid}`, { use: 'put', oid, sizeBytes }) }, verify })
    case 'multipart': {
      const { uploadId, partBytes, partCount } = plan
      const header: Record<string, string> = { chunk_size: String(partBytes) }
      for (let partNumber = 1; partNumber <= partCount; partNumber += 1) {
        const bytes = Math.min(partBytes, sizeBytes - (partNumber - 1) * partBytes)
        const address: LfsAddress = { use: 'part', oid, sizeBytes: bytes, uploadId, partNumber }
        header[String(partNumber).padStart(5, '0')] = href(
          `objects/${oid}/parts/${uploadId}/${partNumber}`,
          address,
        )
      }
      const complete = href(`objects/${oid}/parts/${uploadId}`, { use: 'complete', oid, sizeBytes, uploadId })
      return object({ upload: { href: complete, header }, verify })
    }
  }
}

/** JS and git-xet take the token from the action's headers and refresh it at its address (xet.md §9.2). */
async function xetAction(call: Call, ref: string | null): Promise<Action> {
  const revision = ref ?? 'main'
  const grant = await grantCas(call.ops, call.principal, call.repo, 'write', revision, clientOf(call))
  const { accessToken, exp, domainId } = grant
  return {
    href: `${repoApiUrl(call.site, call.repo)}/xet-write-token/${encodeURIComponent(revision)}`,
    header: {
      'X-Xet-Cas-Url': casUrl(call.site, domainId),
      'X-Xet-Access-Token': accessToken,
      'X-Xet-Token-Expiration': String(exp),
      'X-Xet-Session-Id': call.requestId,
    },
  }
}

function addressOf(
  call: Call,
  use: 'get' | 'put' | 'part',
): { use: 'get' | 'put'; oid: string; sizeBytes: number } {
  const sizeBytes = readDigits(firstOf(call.query, 'size'))
  if (!Number.isSafeInteger(sizeBytes)) throw new HubError('BadRequest', 'The address has no valid size')
  return { use: use === 'get' ? 'get' : 'put', oid: call.params['oid'] ?? '', sizeBytes }
}

function signatureOf({ query }: Call): { by: string; expires: number; signature: string } {
  return {
    by: firstOf(query, 'by') ?? '',
    expires: readDigits(firstOf(query, 'expires')),
    signature: firstOf(query, 'signature') ?? '',
  }
}
