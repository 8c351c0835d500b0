/**
 * Reads a stretch of an open file through two reused buffers and closes the file at the end. Owns the promise of
 * `BlobStore.read` on how long a chunk stays valid.
 */
import type { FileHandle } from 'node:fs/promises'

import type { BufferPool } from '../../buffer-pool.ts'
import { READ_BUFFERS_HELD_MAX_BYTES, READ_CHUNK_MIN_BYTES, READ_WHOLE_MAX_BYTES } from '../../limits.ts'

/**
 * Takes over the file. A short stretch is read at once, so that nothing stays open for it. Throws
 * when the file ends early, whoever truncated it.
 */
export async function readFrom(
  file: FileHandle,
  offset: number,
  sizeBytes: number,
  pool: BufferPool,
): Promise<AsyncIterable<Uint8Array>> {
  if (sizeBytes > Math.min(READ_WHOLE_MAX_BYTES, pool.bufferBytes))
    return closingUnstarted(file, chunksOf(file, offset, sizeBytes, pool))
  try {
    const chunk = Buffer.allocUnsafeSlow(sizeBytes)
    await fill(file, chunk, offset)
    return only(chunk)
  } finally {
    await file.close()
  }
}

/**
 * The two buffers take turns, so a chunk is overwritten by the second `next()` after its own. The last chunk is
 * never pooled memory: when the consumer learns of the end it may still be writing that chunk, but no longer the one
 * before. So both buffers are free at the end. A consumer that leaves early, or a failing read, may leave either in
 * use; then both are dropped.
 */
async function* chunksOf(
  file: FileHandle,
  offset: number,
  sizeBytes: number,
  pool: BufferPool,
): AsyncGenerator<Uint8Array> {
  readers += 1
  const chunkBytes = chunkBytesAmong(readers, pool.bufferBytes)
  try {
    const end = offset + sizeBytes
    const lastStart = end - (sizeBytes % chunkBytes || chunkBytes)
    const buffers: Buffer[] = []
    let position = offset
    for (let turn = 0; position < lastStart; turn ^= 1) {
      const buffer = (buffers[turn] ??= pool.take(chunkBytes))
      await fill(file, buffer, position)
      position += buffer.length
      yield buffer
    }
    const last = Buffer.allocUnsafeSlow(end - lastStart)
    await fill(file, last, lastStart)
    yield last
    for (const buffer of buffers) pool.give(buffer)
  } finally {
    readers -= 1
    await file.close()
  }
}

/** Streams under way. A client that takes nothing keeps its two buffers for as long as it likes. */
let readers = 0

/** The more read at once, the less each holds: a thousand readers who stand still take no more memory than a hundred. */
function chunkBytesAmong(count: number, bufferBytes: number): number {
  let chunkBytes = bufferBytes
  while (chunkBytes > READ_CHUNK_MIN_BYTES && 2 * chunkBytes * count > READ_BUFFERS_HELD_MAX_BYTES)
    chunkBytes /= 2
  return chunkBytes
}

/** Returning a generator that never ran skips its `finally`. */
function closingUnstarted(
  file: FileHandle,
  chunks: AsyncGenerator<Uint8Array>,
): AsyncIterableIterator<Uint8Array> {
  let started = false
  return {
    next() {
      started = true
      return chunks.next()
    },
    async return() {
      if (!started) await file.close()
      started = true
      return chunks.return(undefined)
    },
    [Symbol.asyncIterator]() {
      return this
    },
  }
}

async function* only(chunk: Uint8Array): AsyncGenerator<Uint8Array> {
  if (chunk.length > 0) yield chunk
}

/** Throws RangeError when the file ends before. */
export async function fill(file: FileHandle, buffer: Uint8Array, position: number): Promise<void> {
  for (let filled = 0; filled < buffer.length;) {
    const { bytesRead } = await file.read(buffer, filled, buffer.length - filled, position + filled)
    if (bytesRead === 0)
      throw new RangeError(`The file ends at byte ${position + filled}, earlier than it should`)
    filled += bytesRead
  }
}

/** The same with several pieces of memory, in one call of the system where it reads all at once. */
export async function fillPieces(
  file: FileHandle,
  pieces: readonly Uint8Array[],
  position: number,
): Promise<void> {
  for (let left = pieces, at = position; left.length > 0;) {
    const { bytesRead } = await file.readv(left, at)
    if (bytesRead === 0) throw new RangeError(`The file ends at byte ${at}, earlier than it should`)
    at += bytesRead
    left = behind(left, bytesRead)
  }
}

function behind(pieces: readonly Uint8Array[], filledBytes: number): Uint8Array[] {
  let left = filledBytes
  const partial = pieces.findIndex((piece) => {
    if (left < piece.length) return true
    left -= piece.length
    return false
  })
  return partial < 0 ? [] : [pieces[partial]!.subarray(left), ...pieces.slice(partial + 1)]
}
