/**
 * A file being written in the staging folder: gathers, hashes if asked to, and writes. Knows neither keys nor parts.
 *
 * Appended bytes are copied into one of two reused 1 MiB buffers; a full buffer is written and, while the kernel
 * does that, hashed on this thread. The copy lets `append` settle at once for small chunks, which a caller awaits one
 * by one, and hold no reference to them; it measured level with gathering references for `writev`. Chunks that would
 * fill a whole buffer are written from where they are. Memory: two buffers at most, whatever the caller appends.
 */
import assert from 'node:assert'
import { createHash, type Hash } from 'node:crypto'
import { open } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'

import type { BufferPool } from '../../buffer-pool.ts'
import { unlinkIfPresent } from '../durable.ts'

export class StagingFile {
  readonly path: string
  readonly #file: FileHandle
  readonly #pool: BufferPool
  /** Null when nobody will ask. */
  readonly #hash: Hash | null
  #digest: string | null = null
  #isFinished = false
  #filling: Buffer | null = null
  #filledBytes = 0
  /** Bytes given to the kernel, also those it has not finished writing. */
  #sentBytes = 0
  /** The write under way. It never rejects: what went wrong is in `#failure`, and the next call throws it. */
  #writing: Promise<void> = Promise.resolve()
  #failure: { error: unknown } | null = null
  #busy = false
  #discarding: Promise<void> | null = null

  static async create(path: string, pool: BufferPool, isHashed = true): Promise<StagingFile> {
    return new StagingFile(path, await open(path, 'wx', 0o600), pool, isHashed)
  }

  private constructor(path: string, file: FileHandle, pool: BufferPool, isHashed: boolean) {
    this.path = path
    this.#file = file
    this.#pool = pool
    this.#hash = isHashed ? createHash('sha256') : null
  }

  get isHashed(): boolean {
    return this.#hash !== null
  }

  get sizeBytes(): number {
    return this.#sentBytes + this.#filledBytes
  }

  sha256(): string {
    if (this.#digest !== null) return this.#digest
    if (this.#hash === null) throw new Error('The staged write was begun without a hash')
    const hash = this.#hash.copy()
    if (this.#filling !== null) hash.update(this.#filling.subarray(0, this.#filledBytes))
    return hash.digest('hex')
  }

  async append(bytes: Uint8Array): Promise<void> {
    await this.#exclusively(async () => {
      if (bytes.length >= this.#pool.bufferBytes) {
        await this.#flush()
        await this.#send(bytes)
        await this.#written()
        return
      }
      for (let taken = 0; taken < bytes.length;) {
        this.#filling ??= this.#pool.take()
        const room = this.#filling.length - this.#filledBytes
        const piece = bytes.subarray(taken, taken + room)
        this.#filling.set(piece, this.#filledBytes)
        this.#filledBytes += piece.length
        taken += piece.length
        if (piece.length === room) await this.#flush()
      }
    })
  }

  /** Writes what is gathered, fixes size and sha256. */
  async finish(): Promise<void> {
    await this.#exclusively(async () => {
      await this.#flush()
      await this.#written()
      if (this.#hash !== null) this.#digest ??= this.#hash.digest('hex')
      this.#isFinished = true
    })
  }

  /** After `finish`: makes the bytes durable, with a trailer behind them that neither size nor sha256 counts. */
  async sync(trailer?: Uint8Array): Promise<void> {
    await this.#exclusively(async () => {
      assert(this.#isFinished, 'sync before finish')
      if (trailer !== undefined) await writeFully(this.#file, trailer, this.#sentBytes)
      await this.#file.datasync()
    })
  }

  /** Closes the file and removes it from the staging folder. A link or rename made elsewhere stays. Idempotent. */
  discard(): Promise<void> {
    this.#discarding ??= this.#discard()
    return this.#discarding
  }

  async #discard(): Promise<void> {
    await this.#writing
    if (this.#filling !== null) this.#pool.give(this.#filling)
    this.#filling = null
    try {
      await this.#file.close()
    } finally {
      await unlinkIfPresent(this.path)
    }
  }

  async #exclusively(work: () => Promise<void>): Promise<void> {
    assert(!this.#busy, 'A staged write takes one call at a time')
    this.#busy = true
    try {
      this.#check()
      await work()
    } finally {
      this.#busy = false
    }
  }

  async #flush(): Promise<void> {
    if (this.#filling === null) return
    await this.#written()
    const buffer = this.#filling
    const gathered = buffer.subarray(0, this.#filledBytes)
    this.#filling = null
    this.#filledBytes = 0
    await this.#send(gathered, () => this.#pool.give(buffer))
  }

  /** Starts writing and hashes meanwhile. Does not wait for the write, only for the one before. */
  async #send(bytes: Uint8Array, done?: () => void): Promise<void> {
    await this.#written()
    const position = this.#sentBytes
    this.#sentBytes += bytes.length
    this.#writing = writeFully(this.#file, bytes, position)
      .catch((error: unknown) => {
        this.#failure ??= { error }
      })
      .finally(done)
    this.#hash?.update(bytes)
  }

  async #written(): Promise<void> {
    await this.#writing
    this.#check()
  }

  #check(): void {
    if (this.#failure !== null) throw this.#failure.error
    if (this.#discarding !== null) throw new Error('The staged write has been ended')
  }
}

async function writeFully(file: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    done += (await file.write(bytes, done, bytes.length - done, position + done)).bytesWritten
  }
}
