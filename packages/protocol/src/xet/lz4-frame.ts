/**
 * The outside of an LZ4 frame, read before anything is decoded: a chunk's 128 KiB of payload could otherwise
 * unfold to 32 MiB. https://github.com/lz4/lz4/blob/dev/doc/lz4_Frame_format.md
 *
 *   04 22 4d 18 | FLG | BD | [content size 8] | header checksum | blocks | 00 00 00 00 | [content checksum 4]
 *   block = u32 LE size, high bit set when stored as is | data | [block checksum 4]
 */
import { FormatError } from '../errors.ts'
import { XET_LZ4_FRAME_CLAIM_MAX_BYTES } from '../limits.ts'

const MAGIC = 0x184d2204
const VERSION_MASK = 0xc0
const VERSION = 0x40
const BLOCK_CHECKSUM = 0x10
const CONTENT_SIZE = 0x08
const CONTENT_CHECKSUM = 0x04
/** Of FLG: one reserved bit, and dictionaries, which Xet does not have. */
const FORBIDDEN_FLAGS = 0x03
/** A sequence of LZ4 turns one byte into at most this many. */
const EXPANSION_MAX = 255

/**
 * Throws unless `frame` is exactly one frame that can hold `rawBytes` and not much more. Errors count from
 * `position`, where the frame stands in its xorb.
 */
export function checkLz4Frame(frame: Uint8Array, rawBytes: number, position: number): void {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.length)
  let at = 0
  function advance(bytes: number): number {
    const from = at
    if (bytes > frame.length - at) throw new FormatError('LZ4 frame is cut short', position + frame.length)
    at += bytes
    return from
  }

  if (view.getUint32(advance(4), true) !== MAGIC) throw new FormatError('Not an LZ4 frame', position)
  const flags = frame[advance(1)]!
  if ((flags & VERSION_MASK) !== VERSION || (flags & FORBIDDEN_FLAGS) !== 0)
    throw new FormatError('LZ4 frame has an unknown version or flags', position + 4)
  const blockSizeCode = frame[advance(1)]! >> 4
  if (blockSizeCode < 4 || blockSizeCode > 7)
    throw new FormatError('LZ4 frame has an unknown block size', position + 5)
  const blockMaxBytes = 1 << (2 * blockSizeCode + 8)
  if ((flags & CONTENT_SIZE) !== 0 && view.getBigUint64(advance(8), true) !== BigInt(rawBytes))
    throw new FormatError('LZ4 frame declares another length than its chunk', position + 6)
  advance(1)

  let claimBytes = 0
  for (;;) {
    const word = view.getUint32(advance(4), true)
    if (word === 0) break
    const isStored = word >= 0x8000_0000
    const sizeBytes = word & 0x7fff_ffff
    if (sizeBytes > blockMaxBytes)
      throw new FormatError('LZ4 block is larger than its frame allows', position + at - 4)
    advance(sizeBytes)
    if ((flags & BLOCK_CHECKSUM) !== 0) advance(4)
    claimBytes += isStored ? sizeBytes : Math.min(sizeBytes * EXPANSION_MAX, blockMaxBytes)
    if (claimBytes > XET_LZ4_FRAME_CLAIM_MAX_BYTES)
      throw new FormatError('LZ4 frame could unfold to far more than a chunk', position + at)
  }
  if ((flags & CONTENT_CHECKSUM) !== 0) advance(4)
  if (at !== frame.length) throw new FormatError('Bytes follow the LZ4 frame', position + at)
  if (claimBytes < rawBytes) throw new FormatError('LZ4 frame cannot hold its chunk', position + at)
}
