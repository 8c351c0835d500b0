/** Shards: xet.md §6.3 and §6.4. hf_xet 1.6 on uses V2, everything else V1. */
import { XET_SHARD_MAX_BYTES } from '@cairn/protocol/limits'

import { openGrant } from '../../../ops/xet/grants.ts'
import { receiveShard } from '../../../ops/xet/upload.ts'
import { casCredential } from '../../auth.ts'
import { readBytes } from '../../body.ts'
import type { Call, Route } from '../../route.ts'

/** 0: all files were known; 1: something was registered. Both are success. */
async function register({ ops, headers, params, body }: Call): Promise<0 | 1> {
  const { repo } = await openGrant(ops, casCredential({ headers, params }), 'write')
  const { registered } = await receiveShard(ops, repo, await readBytes(body, XET_SHARD_MAX_BYTES))
  return registered ? 1 : 0
}

const V1_PATHS = [
  '/cas/g1/:domain/v1/shards',
  '/cas/g1/:domain/shards',
  '/cas/g1/:domain/shard/:prefix/:hash',
]

export const shardRoutes: readonly Route[] = [
  ...V1_PATHS.map((path): Route => ({
    method: 'POST',
    ownCredential: true,
    path,
    hub: 'POST {cas}/v1/shards',
    handle: async (call) => ({ json: { result: await register(call) } }),
  })),
  {
    method: 'POST',
    ownCredential: true,
    path: '/cas/g1/:domain/v2/shards',
    hub: 'POST {cas}/v2/shards',
    quirk: 'answers when all is checked and durable, with the terminal event only',
    handle: async (call) => ({
      headers: { 'Content-Type': 'application/x-ndjson', 'Cache-Control': 'no-cache' },
      text: `${JSON.stringify({ type: 'result', result: await register(call) })}\n`,
    }),
  },
]
