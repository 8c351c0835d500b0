/**
 * What `git cat-file --batch-command` writes: `<oid> SP <type> SP <size> LF`, and for `contents` that many bytes
 * and LF; `<request> SP missing LF` for what is not there. Anything else is a FormatError.
 */
import { FormatError } from '@cairn/protocol/errors'
import type { GitObjectType } from '@cairn/protocol/git/objects'

const HEADER = /^[0-9a-f]{40} (blob|tree|commit|tag) (\d{1,15})$/
const MISSING = /^[0-9a-f]{40} missing$/
const LINE_FEED = 0x0a

interface Answer {
  type: GitObjectType
  sizeBytes: number
  bytes?: Uint8Array
}

interface Body {
  answer: Answer
  bytes: Uint8Array
  filled: number
}

/** The answers come in the order of the requests; the functions speak about the oldest one without an answer. */
export interface CatFileListener {
  limitOf(): number
  isWithBytes(): boolean
  onAnswer(answer: Answer | null): void
  /** Called instead of `onAnswer`; the parser must not be used afterwards. */
  onTooLarge(answer: Answer): void
}

export class CatFileParser {
  readonly #headerMaxBytes: number
  readonly #listener: CatFileListener
  #header = ''
  #body: Body | null = null
  #offset = 0
  #isDone = false

  constructor(headerMaxBytes: number, listener: CatFileListener) {
    this.#headerMaxBytes = headerMaxBytes
    this.#listener = listener
  }

  push(chunk: Uint8Array): void {
    for (let at = 0; at < chunk.length && !this.#isDone;) {
      const taken = this.#body === null ? this.#takeHeader(chunk, at) : this.#takeBody(this.#body, chunk, at)
      at += taken
      this.#offset += taken
    }
  }

  #takeHeader(chunk: Uint8Array, at: number): number {
    const end = chunk.indexOf(LINE_FEED, at)
    const part = chunk.subarray(at, end < 0 ? chunk.length : end)
    if (this.#header.length + part.length > this.#headerMaxBytes) throw this.#error('too long a header')
    this.#header += Buffer.from(part.buffer, part.byteOffset, part.length).toString('latin1')
    if (end >= 0) {
      const line = this.#header
      this.#header = ''
      this.#readHeader(line)
    }
    return part.length + (end < 0 ? 0 : 1)
  }

  #readHeader(line: string): void {
    if (MISSING.test(line)) {
      this.#listener.onAnswer(null)
      return
    }
    const match = HEADER.exec(line)
    if (match === null) throw this.#error('an unknown header')
    const answer: Answer = { type: match[1] as GitObjectType, sizeBytes: Number(match[2]) }
    if (!this.#listener.isWithBytes()) {
      this.#listener.onAnswer(answer)
    } else if (answer.sizeBytes > this.#listener.limitOf()) {
      this.#isDone = true
      this.#listener.onTooLarge(answer)
    } else {
      this.#body = { answer, bytes: new Uint8Array(answer.sizeBytes), filled: 0 }
    }
  }

  #takeBody(body: Body, chunk: Uint8Array, at: number): number {
    const missing = body.bytes.length - body.filled
    if (missing > 0) {
      const part = chunk.subarray(at, at + missing)
      body.bytes.set(part, body.filled)
      body.filled += part.length
      return part.length
    }
    if (chunk[at] !== LINE_FEED) throw this.#error('no line feed after an object')
    this.#body = null
    this.#listener.onAnswer({ ...body.answer, bytes: body.bytes })
    return 1
  }

  #error(what: string): FormatError {
    return new FormatError(`git cat-file wrote ${what}`, this.#offset)
  }
}
