/** The hub's `Primitives`: native BLAKE3 and LZ4, node:crypto and node:zlib. Also loaded by the workers. */
import { createHash } from 'node:crypto'
import { deflateSync } from 'node:zlib'

import type { Primitives } from '@cairn/protocol/primitives'
import { Blake3Hasher } from '@napi-rs/blake-hash'
import lz4 from 'lz4-napi'

/** Setting up a keyed hasher costs three times as much as hashing a tree node, and keys are few and lasting. */
const hashers = new WeakMap<Uint8Array, Blake3Hasher>()

function keyedHasher(key: Uint8Array): Blake3Hasher {
  let hasher = hashers.get(key)
  if (hasher === undefined) {
    hasher = Blake3Hasher.newKeyed(viewOf(key))
    hashers.set(key, hasher)
  }
  return hasher
}

/** The same memory under the type that native modules declare. */
function viewOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
}

/** A key passed to `blake3Keyed` must not be changed afterwards. */
export const nativePrimitives: Primitives = {
  blake3Keyed(key, data) {
    const hasher = keyedHasher(key)
    hasher.reset()
    return hasher.update(viewOf(data)).digestBuffer()
  },
  sha1: (data) => createHash('sha1').update(data).digest(),
  sha256: (data) => createHash('sha256').update(data).digest(),
  lz4FrameEncode: (data) => lz4.compressFrameSync(viewOf(data)),
  deflate: (data) => deflateSync(data),
}
