/**
 * Sixty-four uploads of xorbs at once, half of them slow: the JavaScript client sends none again, so none may be refused,
 * and what all of them hold in memory has a bound. Who has to wait is read slowly.
 */
import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'

import { encodeXorb } from '@cairn/protocol/xet/xorb'
import { nativePrimitives } from '@cairn/server/primitives'
import { afterAll, beforeAll, expect, test } from 'vitest'

import { forgetPeak, peakRssMb } from '../perf/harness/process-facts.ts'
import { printOnFailure, startHub, tokens, type HubProcess } from './hub-process.ts'
import { post } from './mount.ts'

const MIB = 1024 * 1024
const UPLOADS = 64
const CHUNK_BYTES = 64 * 1024
/** 64 MiB is the largest. */
const XORB_BYTES = Number(process.env['CAIRN_XORB_MIB'] ?? 8) * MIB - CHUNK_BYTES
const SLOW_PIECE_BYTES = 512 * 1024
const SLOW_PIECE_MS = 100
const RSS_MAX_MB = 700

let hub: HubProcess
beforeAll(async () => {
  hub = await startHub()
})
afterAll(() => hub[Symbol.asyncDispose]())
printOnFailure(() => hub.log())

/** Xorbs that differ in their first chunk, of which the rest lies in memory once. */
function makeXorbs(): { hash: string; first: Uint8Array<ArrayBuffer>; rest: Uint8Array<ArrayBuffer> }[] {
  const common = Array.from({ length: Math.floor(XORB_BYTES / CHUNK_BYTES) - 2 }, () =>
    randomBytes(CHUNK_BYTES),
  )
  let rest: Uint8Array<ArrayBuffer> | null = null
  return Array.from({ length: UPLOADS }, () => {
    const unique = randomBytes(CHUNK_BYTES)
    const { hash, bytes } = encodeXorb(nativePrimitives, [unique, ...common])
    const end = encodeXorb(nativePrimitives, [unique]).bytes.length
    rest ??= bytes.slice(end)
    return { hash, first: bytes.slice(0, end), rest }
  })
}

async function* pieces(
  xorb: { first: Uint8Array; rest: Uint8Array },
  isSlow: boolean,
): AsyncGenerator<Uint8Array> {
  yield xorb.first
  for (let at = 0; at < xorb.rest.length; at += SLOW_PIECE_BYTES) {
    if (isSlow) await sleep(SLOW_PIECE_MS)
    yield xorb.rest.subarray(at, at + SLOW_PIECE_BYTES)
  }
}

test('none is refused, and memory has a bound', async () => {
  await post(`${hub.url}/api/repos/create`, JSON.stringify({ name: 'crowd' }))
  const token = await fetch(`${hub.url}/api/models/alice/crowd/xet-write-token/main`, {
    headers: { Authorization: `Bearer ${tokens.alice}` },
  })
  const { accessToken, casUrl } = (await token.json()) as { accessToken: string; casUrl: string }
  const xorbs = makeXorbs()
  forgetPeak(hub.pid)
  const since = performance.now()
  const answers = await Promise.all(
    xorbs.map(async (xorb, index) => {
      const init: RequestInit & { duplex: 'half' } = {
        method: 'POST',
        headers: { Authorization: `Bearer ${accessToken}` },
        body: ReadableStream.from(pieces(xorb, index % 2 === 0)) as RequestInit['body'],
        duplex: 'half',
      }
      const answer = await fetch(`${casUrl}/v1/xorbs/default/${xorb.hash}`, init)
      return `${answer.status} ${await answer.text()}`
    }),
  )
  const seconds = (performance.now() - since) / 1000
  const peak = peakRssMb(hub.pid)
  console.log(
    `${UPLOADS} xorbs of ${XORB_BYTES / MIB} MiB in ${seconds.toFixed(1)} s, at most ${peak.toFixed(0)} MB`,
  )
  expect(new Set(answers)).toEqual(new Set(['200 {"was_inserted":true}']))
  expect(peak).toBeLessThan(RSS_MAX_MB)
})
