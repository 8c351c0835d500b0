/**
 * Decodes LZ4 blocks into memory that the caller owns. In JavaScript, because a native decoder's own output is fresh
 * memory each time, and the kernel takes longer to hand that out than the decoding takes.
 * https://github.com/lz4/lz4/blob/dev/doc/lz4_Block_format.md
 *
 *   sequence = token: high 4 bits literals, low 4 bits match length - 4; 15 is continued by bytes until one is not 255
 *              | literals | distance of the match, u16 LE | the last sequence ends after its literals
 */

/** Bytes under both views that copying needs. */
export interface Memory {
  bytes: Uint8Array
  view: DataView
}

export function memoryOf(bytes: Uint8Array): Memory {
  return { bytes, view: new DataView(bytes.buffer, bytes.byteOffset, bytes.length) }
}

export const MALFORMED = -1
const WORD_BYTES = 8
/** Beyond so many bytes the call of a copying function costs less than a loop. */
const LOOP_MAX_BYTES = 96

/**
 * Decodes the block from `from` to before `end` of the source to `at` of the target, not beyond `stop`. Matches reach
 * back to `reach`. Returns where the decoded bytes end, or `MALFORMED`. Bytes between that end and `stop` are undefined.
 */
export function decodeLz4Block(
  source: Memory,
  { from, end }: { from: number; end: number },
  target: Memory,
  { reach, at, stop }: { reach: number; at: number; stop: number },
): number {
  const { bytes: input, view: inputView } = source
  const { bytes: output, view: outputView } = target
  // Whole words may be copied up to here: what they hold too much is overwritten, or lies before `stop`.
  const inputWordsEnd = input.length - LOOP_MAX_BYTES - WORD_BYTES
  const outputWordsEnd = stop - LOOP_MAX_BYTES - WORD_BYTES
  while (from < end) {
    const token = input[from++]!
    let literals = token >>> 4
    if (literals === 15) {
      let more = 255
      for (; more === 255 && from < end; literals += more) more = input[from++]!
      if (more === 255) return MALFORMED
    }
    if (literals > end - from || literals > stop - at) return MALFORMED
    const literalsEnd = at + literals
    if (literals > LOOP_MAX_BYTES) output.set(input.subarray(from, from + literals), at)
    else if (from <= inputWordsEnd && at <= outputWordsEnd)
      for (let read = from; at < literalsEnd; at += WORD_BYTES, read += WORD_BYTES)
        outputView.setBigUint64(at, inputView.getBigUint64(read, true), true)
    else for (let read = from; at < literalsEnd;) output[at++] = input[read++]!
    at = literalsEnd
    from += literals
    if (from === end) return at

    if (end - from < 2) return MALFORMED
    const distance = input[from]! | (input[from + 1]! << 8)
    from += 2
    let length = token & 15
    if (length === 15) {
      let more = 255
      for (; more === 255 && from < end; length += more) more = input[from++]!
      if (more === 255) return MALFORMED
    }
    length += 4
    if (distance === 0 || distance > at - reach || length > stop - at) return MALFORMED
    const matchEnd = at + length
    let read = at - distance
    if (length > LOOP_MAX_BYTES && distance >= length) output.copyWithin(at, read, read + length)
    else if (length <= LOOP_MAX_BYTES && distance >= WORD_BYTES && at <= outputWordsEnd)
      for (; at < matchEnd; at += WORD_BYTES, read += WORD_BYTES)
        outputView.setBigUint64(at, outputView.getBigUint64(read, true), true)
    // A match that reaches into itself repeats what it has just written.
    else for (; at < matchEnd;) output[at++] = output[read++]!
    at = matchEnd
  }
  return MALFORMED
}
