/** The hash and compression functions of protocol code, by Node's own libraries and two native modules. */
import { hash } from 'node:crypto'
import { constants, deflateSync } from 'node:zlib'

import type { Primitives } from '@cairn/protocol/primitives'
import { Blake3Hasher } from '@napi-rs/blake-hash'
import { compressFrameSync, decompressFrameSync } from 'lz4-napi'

export const primitives: Primitives = {
  blake3Keyed: (key, data) => Blake3Hasher.newKeyed(asBuffer(key)).update(asBuffer(data)).digestBuffer(),
  sha1: (data) => hash('sha1', data, 'buffer'),
  sha256: (data) => hash('sha256', data, 'buffer'),
  lz4FrameDecode: (frame) => decompressFrameSync(asBuffer(frame)),
  lz4FrameEncode: (data) => compressFrameSync(asBuffer(data)),
  // git's own choice for loose objects; a repack compresses better later.
  deflate: (data) => deflateSync(data, { level: constants.Z_BEST_SPEED }),
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
