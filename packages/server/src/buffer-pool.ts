/**
 * Large buffers lent again and again: fresh memory for every chunk is what makes moving bytes expensive in Node
 * (toolchain.md §5). A borrower gives a buffer back only when nobody, the kernel included, can still touch it;
 * when in doubt it drops it and the garbage collector takes it.
 */
export class BufferPool {
  readonly bufferBytes: number
  readonly #idleMax: number
  readonly #idle: Buffer<ArrayBuffer>[] = []

  constructor(bufferBytes: number, idleMax: number) {
    this.bufferBytes = bufferBytes
    this.#idleMax = idleMax
  }

  /** Its content is whatever the last borrower left. A smaller one than the pool's is always a fresh one. */
  take(sizeBytes: number = this.bufferBytes): Buffer<ArrayBuffer> {
    const idle = sizeBytes === this.bufferBytes ? this.#idle.pop() : undefined
    return idle ?? Buffer.allocUnsafeSlow(sizeBytes)
  }

  /** The whole memory of which these bytes are a part, wherever they have been in between. */
  give({ buffer }: Uint8Array): void {
    if (!(buffer instanceof ArrayBuffer) || buffer.byteLength !== this.bufferBytes) return
    if (this.#idle.length < this.#idleMax) this.#idle.push(Buffer.from(buffer))
  }

  get idleCount(): number {
    return this.#idle.length
  }
}
