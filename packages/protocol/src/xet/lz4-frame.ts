/**
 * LZ4 frames, decoded into memory of known length: whatever a frame claims, nothing is written beyond that.
 * https://github.com/lz4/lz4/blob/dev/doc/lz4_Frame_format.md
 *
 *   04 22 4d 18 | FLG | BD | [content size 8] | header checksum | blocks | 00 00 00 00 | [content checksum 4]
 *   block = u32 LE size, high bit set when stored as is | data | [block checksum 4]
 *
 * What is accepted here is stored, and then read by decoders of others. So nothing may pass that they refuse: reserved
 * bits, checksums and block sizes count, although the hash of the content would find a wrong byte, too.
 */
import { FormatError } from '../errors.ts'
import { decodeLz4Block, MALFORMED, memoryOf } from './lz4-block.ts'
import { xxh32 } from './xxh32.ts'

const MAGIC = 0x184d2204
const VERSION_MASK = 0xc0
const VERSION = 0x40
const INDEPENDENT_BLOCKS = 0x20
const BLOCK_CHECKSUM = 0x10
const CONTENT_SIZE = 0x08
const CONTENT_CHECKSUM = 0x04
/** Of FLG: one reserved bit, and dictionaries, which Xet does not have. */
const FORBIDDEN_FLAGS = 0x03
/** Of BD, reserved. */
const FORBIDDEN_BLOCK_BITS = 0x8f
const STORED_BLOCK = 0x8000_0000

/**
 * Throws unless `frame` is exactly one sound frame of exactly as many bytes as `into` has. Errors count from `position`,
 * where the frame stands in its xorb.
 */
export function decodeLz4Frame(frame: Uint8Array, into: Uint8Array, position: number): void {
  const source = memoryOf(frame)
  const target = memoryOf(into)
  const { view } = source
  let at = 0
  const advance = (bytes: number): number => {
    const from = at
    if (bytes > frame.length - at) throw new FormatError('LZ4 frame is cut short', position + frame.length)
    at += bytes
    return from
  }
  const checkSum = (bytes: Uint8Array): void => {
    if (view.getUint32(advance(4), true) !== xxh32(bytes))
      throw new FormatError('LZ4 frame has a wrong checksum', position + at - 4)
  }

  if (view.getUint32(advance(4), true) !== MAGIC) throw new FormatError('Not an LZ4 frame', position)
  const flags = frame[advance(1)]!
  if ((flags & VERSION_MASK) !== VERSION || (flags & FORBIDDEN_FLAGS) !== 0)
    throw new FormatError('LZ4 frame has an unknown version or flags', position + 4)
  const blockBits = frame[advance(1)]!
  const blockSizeCode = blockBits >> 4
  if (blockSizeCode < 4 || (blockBits & FORBIDDEN_BLOCK_BITS) !== 0)
    throw new FormatError('LZ4 frame has an unknown block size', position + 5)
  const blockMaxBytes = 1 << (2 * blockSizeCode + 8)
  if ((flags & CONTENT_SIZE) !== 0 && view.getBigUint64(advance(8), true) !== BigInt(into.length))
    throw new FormatError('LZ4 frame declares another length than its chunk', position + 6)
  if (frame[advance(1)] !== ((xxh32(frame.subarray(4, at - 1)) >>> 8) & 0xff))
    throw new FormatError('LZ4 frame has a wrong header checksum', position + at - 1)

  let decoded = 0
  for (;;) {
    const word = view.getUint32(advance(4), true)
    if (word === 0) break
    const sizeBytes = word & ~STORED_BLOCK
    if (sizeBytes > blockMaxBytes)
      throw new FormatError('LZ4 block is larger than its frame allows', position + at - 4)
    const from = advance(sizeBytes)
    const stop = Math.min(decoded + blockMaxBytes, into.length)
    if (word < STORED_BLOCK) {
      const reach = (flags & INDEPENDENT_BLOCKS) === 0 ? 0 : decoded
      decoded = decodeLz4Block(source, { from, end: at }, target, { reach, at: decoded, stop })
      if (decoded === MALFORMED)
        throw new FormatError('LZ4 block does not decode, or to more than its chunk has', position + from)
    } else {
      if (sizeBytes > stop - decoded)
        throw new FormatError('LZ4 frame holds more than its chunk', position + from)
      into.set(frame.subarray(from, at), decoded)
      decoded += sizeBytes
    }
    if ((flags & BLOCK_CHECKSUM) !== 0) checkSum(frame.subarray(from, at))
  }
  if (decoded !== into.length)
    throw new FormatError(`LZ4 frame holds ${decoded} bytes, not ${into.length}`, position + at)
  if ((flags & CONTENT_CHECKSUM) !== 0) checkSum(into)
  if (at !== frame.length) throw new FormatError('Bytes follow the LZ4 frame', position + at)
}
