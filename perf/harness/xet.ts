/** What a hub has stored of Xet, and how fast one core gets through it. */
import { readFileSync } from 'node:fs'
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'

import { XET_CHUNK_MAX_BYTES } from '@cairn/protocol/limits'
import { decodeChunk, splitChunks } from '@cairn/protocol/xet/chunk'
import { chunkHash } from '@cairn/protocol/xet/hash'
import { nativePrimitives } from '@cairn/server/primitives'

import type { HubProcess } from '../../e2e/hub-process.ts'

export function xorbFolder(hub: HubProcess): string {
  return join(hub.dataDir, 'blobs', 'blobs', 'xorbs')
}

async function storedXorbs(hub: HubProcess): Promise<string[]> {
  const entries = await readdir(xorbFolder(hub), { recursive: true, withFileTypes: true }).catch(() => [])
  return entries
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name))
    .toSorted()
}

export async function storedXorbBytes(hub: HubProcess): Promise<number> {
  const sizes = await Promise.all((await storedXorbs(hub)).map(async (path) => (await stat(path)).size))
  return sizes.reduce((sum, size) => sum + size, 0)
}

/**
 * Raw MiB/s at which this thread decodes and hashes every chunk of the xorbs, reading them apart. It does so `runs` times,
 * after one that is not counted.
 */
export async function decodeRates(hub: HubProcess, runs: number): Promise<number[]> {
  const xorbs = (await storedXorbs(hub)).map((path) => readFileSync(path))
  const room = new Uint8Array(XET_CHUNK_MAX_BYTES)
  const rates: number[] = []
  for (let round = 0; round <= runs; round += 1) {
    let rawBytes = 0
    const started = performance.now()
    for (const xorb of xorbs)
      for (const chunk of splitChunks(xorb, 0)) {
        chunkHash(nativePrimitives, decodeChunk(chunk, room, 0))
        rawBytes += chunk.header.rawBytes
      }
    if (round > 0) rates.push(rawBytes / (1 << 20) / ((performance.now() - started) / 1000))
  }
  return rates
}
