/**
 * The head of a GGUF file, versions 2 and 3, little-endian:
 *
 *   0   4  'GGUF'
 *   4   4  version, u32
 *   8   8  tensor count, u64
 *   16  8  metadata count, u64
 *   24     metadata: key (string) · type u32 · value
 *          tensors:  name (string) · dimension count u32 · dimensions u64 … · type u32 · offset u64
 *
 * A string is a u64 length and that many bytes; an array is an element type u32, a u64 length and its elements.
 * Only a few values are kept; the rest, vocabularies above all, is stepped over.
 */
import { FormatError } from '../errors.ts'
import {
  GGUF_ARRAY_DEPTH_MAX,
  GGUF_ARRAY_LENGTH_MAX,
  GGUF_METADATA_MAX,
  GGUF_TENSORS_MAX,
  GGUF_TEXT_MAX_BYTES,
  TENSOR_DIMENSIONS_MAX,
} from '../limits.ts'

export interface GgufFacts {
  /** Parameters: elements of all tensors. */
  total: number
  architecture?: string
  context_length?: number
  chat_template?: string
}

const STRING = 8
const ARRAY = 9
/** Bytes of the scalar types: u8 i8 u16 i16 u32 i32 f32 bool · · u64 i64 f64. */
const SCALAR_BYTES: readonly (number | null)[] = [1, 1, 2, 2, 4, 4, 4, 1, null, null, 8, 8, 8]

/** What a file's beginning says, or null when the head goes on behind `bytes`. FormatError when it is no GGUF. */
export function parseGguf(bytes: Uint8Array): GgufFacts | null {
  const reader = new Reader(bytes)
  try {
    return readHead(reader)
  } catch (error) {
    if (error === MORE) return null
    throw error
  }
}

/** Thrown inside when the bytes end; never leaves this file. */
const MORE = new Error('The head goes on')

function readHead(reader: Reader): GgufFacts {
  for (const byte of [0x47, 0x47, 0x55, 0x46])
    if (reader.u8() !== byte) throw reader.problem('Not a GGUF file')
  const version = reader.u32()
  if (version !== 2 && version !== 3) throw reader.problem(`GGUF of version ${version}`)
  const tensorCount = reader.count(GGUF_TENSORS_MAX, 'tensors')
  const metadataCount = reader.count(GGUF_METADATA_MAX, 'metadata')
  const metadata = new Map<string, unknown>()
  for (let index = 0; index < metadataCount; index += 1) {
    const key = reader.text()
    const isWanted = /^(?:general\.architecture|tokenizer\.chat_template|.+\.context_length)$/.test(key)
    const value = reader.value(reader.u32(), isWanted, 0)
    if (isWanted) metadata.set(key, value)
  }
  let total = 0
  for (let index = 0; index < tensorCount; index += 1) total = addTensor(reader, total)
  return factsOf(total, metadata)
}

function addTensor(reader: Reader, total: number): number {
  reader.skipText()
  const dimensions = reader.u32()
  if (dimensions > TENSOR_DIMENSIONS_MAX) throw reader.problem('Too many dimensions')
  let elements = 1
  for (let index = 0; index < dimensions; index += 1) {
    elements *= reader.u64()
    if (!Number.isSafeInteger(elements)) throw reader.problem('A tensor too large')
  }
  reader.skip(4 + 8)
  if (!Number.isSafeInteger(total + elements)) throw reader.problem('Too many parameters')
  return total + elements
}

function factsOf(total: number, metadata: ReadonlyMap<string, unknown>): GgufFacts {
  const facts: GgufFacts = { total }
  const architecture = metadata.get('general.architecture')
  if (typeof architecture === 'string') {
    facts.architecture = architecture
    const length = metadata.get(`${architecture}.context_length`)
    if (typeof length === 'number') facts.context_length = length
  }
  const template = metadata.get('tokenizer.chat_template')
  if (typeof template === 'string') facts.chat_template = template
  return facts
}

class Reader {
  readonly #bytes: Uint8Array
  readonly #view: DataView
  #at = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  problem(text: string): FormatError {
    return new FormatError(text, this.#at)
  }

  u8(): number {
    return this.#view.getUint8(this.skip(1))
  }

  u32(): number {
    return this.#view.getUint32(this.skip(4), true)
  }

  u64(): number {
    const value = this.#view.getBigUint64(this.skip(8), true)
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw this.problem('A number too large')
    return Number(value)
  }

  count(max: number, what: string): number {
    const value = this.u64()
    if (value > max) throw this.problem(`Too many ${what}`)
    return value
  }

  /** Steps over `sizeBytes` and returns where they began. */
  skip(sizeBytes: number): number {
    const start = this.#at
    if (sizeBytes > this.#bytes.length - start) throw MORE
    this.#at = start + sizeBytes
    return start
  }

  text(): string {
    const length = this.u64()
    if (length > GGUF_TEXT_MAX_BYTES) throw this.problem('A text too long')
    const start = this.skip(length)
    // Broken UTF-8 in a value makes a broken text, not a broken file.
    return new TextDecoder().decode(this.#bytes.subarray(start, start + length))
  }

  skipText(): void {
    const length = this.u64()
    if (length > GGUF_TEXT_MAX_BYTES) throw this.problem('A text too long')
    this.skip(length)
  }

  /** Texts and whole numbers when they are wanted, undefined for everything else. */
  value(type: number, isWanted: boolean, depth: number): string | number | undefined {
    if (type === STRING && isWanted) return this.text()
    if (type === STRING) {
      this.skipText()
      return undefined
    }
    if (type === ARRAY) {
      this.#skipArray(depth + 1)
      return undefined
    }
    const sizeBytes = SCALAR_BYTES[type]
    if (sizeBytes === undefined || sizeBytes === null) throw this.problem(`A value of type ${type}`)
    if (isWanted && type === 4) return this.u32()
    if (isWanted && type === 10) return this.u64()
    this.skip(sizeBytes)
    return undefined
  }

  #skipArray(depth: number): void {
    if (depth > GGUF_ARRAY_DEPTH_MAX) throw this.problem('Arrays nested too deep')
    const type = this.u32()
    const length = this.count(GGUF_ARRAY_LENGTH_MAX, 'elements')
    const sizeBytes = SCALAR_BYTES[type]
    if (typeof sizeBytes === 'number') this.skip(sizeBytes * length)
    else for (let index = 0; index < length; index += 1) this.value(type, false, depth)
  }
}
