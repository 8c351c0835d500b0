/**
 * A file on its way into xorbs: cut as hf_xet cuts it, chunks that lie in known xorbs named there, the others packed
 * into new xorbs. What comes out is the file as a shard tells it. Memory grows with the chunks that are known, which
 * are limited, and by 32 bytes a chunk of the term that is open.
 */
import {
  XET_FILE_TERMS_MAX,
  XET_PACKER_CHUNKS_KNOWN_MAX,
  XET_XORB_CHUNKS_MAX,
  XET_XORB_RAW_BYTES,
} from '../limits.ts'
import type { Primitives } from '../primitives.ts'
import { decodeChunkTable, type ChunkTable } from './chunk-table.ts'
import { createChunker } from './chunker.ts'
import { chunkHash, formatXetHash, isDedupEligible, verificationHash, type XetHash } from './hash.ts'
import type { ShardFile } from './shard.ts'
import { encodeTerms } from './terms.ts'
import { createFileHash } from './tree-hash.ts'
import { createXorbEncoder, type XorbEncoder } from './xorb.ts'

/** A chunk that is needed alone costs every reader a request of its own, so runs shall have as many on average. */
const TERM_MEAN_CHUNKS = 8
/** Terms for which that does not count. */
const TERMS_FREE = 16
/** Half of them for runs that are named, half for what is packed between. */
const TERMS_MAX = XET_FILE_TERMS_MAX / 2

/** A stored xorb, or one just packed. */
export interface PackedXorb {
  hash: XetHash
  /** As in chunk-table.ts. */
  chunks: Uint8Array
}

/** Bytes that follow in the open xorb, and the xorb when these were its last. */
export interface PackedPart {
  /** Each as it is stored, and the hash of its content. */
  chunks: { serialized: Uint8Array; hash: Uint8Array }[]
  sealed: PackedXorb | null
}

export type PackedFile = Omit<ShardFile, 'sha256' | 'verification'> & {
  verification: Uint8Array
  sizeBytes: number
}

interface WaitingChunk {
  raw: Uint8Array
  hash: Uint8Array
  name: XetHash
}

/** A number is that of a xorb of this file, whose hash is not known before it is sealed. */
type XorbName = XetHash | number

interface Place {
  xorb: XorbName
  index: number
}

interface OpenTerm {
  xorb: XorbName
  chunkStart: number
  chunkEnd: number
  rawBytes: number
}

/**
 * Takes turns: `push` takes bytes and says which chunks to ask for elsewhere, `know` takes what was found, `pack` packs
 * the chunks that are complete. At the end `finish`, and once more `pack`.
 */
export class FilePacker {
  readonly #primitives: Primitives
  readonly #chunker = createChunker()
  readonly #fileHash
  readonly #places = new Map<XetHash, Place>()
  readonly #tables = new Map<XorbName, ChunkTable>()
  readonly #sealed: XetHash[] = []
  readonly #terms: OpenTerm[] = []
  readonly #verification: Uint8Array[] = []
  #termHashes: Uint8Array[] = []
  #waiting: WaitingChunk[] = []
  #open: XorbEncoder | null = null
  #chunkCount = 0
  #sizeBytes = 0

  constructor(primitives: Primitives) {
    this.#primitives = primitives
    this.#fileHash = createFileHash(primitives)
  }

  know({ hash, chunks }: PackedXorb): void {
    this.#remember(hash, decodeChunkTable(chunks))
  }

  /** Chunks by which one may find xorbs that hold the same content, as clients ask for them. */
  push(bytes: Uint8Array): XetHash[] {
    return this.#take(this.#chunker.push(bytes))
  }

  finish(): XetHash[] {
    return this.#take(this.#chunker.finish())
  }

  pack(isLast = false): PackedPart[] {
    const parts: PackedPart[] = []
    let chunks: PackedPart['chunks'] = []
    const seal = (): void => {
      if (this.#open !== null) parts.push({ chunks, sealed: this.#seal(this.#open) })
      chunks = []
    }
    this.#waiting.forEach((chunk, at) => {
      let place = this.#placeOf(chunk, at)
      if (place === null) {
        if (this.#open !== null && isFull(this.#open, chunk.raw)) seal()
        this.#open ??= createXorbEncoder(this.#primitives)
        place = { xorb: this.#sealed.length, index: this.#open.chunkCount }
        chunks.push({ serialized: this.#open.add(chunk.raw, chunk.hash), hash: chunk.hash })
        if (this.#places.size < XET_PACKER_CHUNKS_KNOWN_MAX && !this.#places.has(chunk.name))
          this.#places.set(chunk.name, place)
      }
      this.#name(place, chunk)
    })
    this.#waiting = []
    if (isLast) seal()
    else if (chunks.length > 0) parts.push({ chunks, sealed: null })
    return parts
  }

  /** After the last `pack`. */
  file(): PackedFile {
    this.#closeTerm()
    const hashOf = (xorb: XorbName): XetHash => (typeof xorb === 'number' ? this.#sealed[xorb]! : xorb)
    const verification = new Uint8Array(this.#verification.length * 32)
    this.#verification.forEach((hash, index) => verification.set(hash, index * 32))
    return {
      hash: this.#fileHash.finish(),
      terms: encodeTerms(this.#terms.map((term) => ({ ...term, xorb: hashOf(term.xorb) }))),
      verification,
      sizeBytes: this.#sizeBytes,
    }
  }

  #take(chunks: readonly Uint8Array[]): XetHash[] {
    const asked: XetHash[] = []
    for (const raw of chunks) {
      const hash = chunkHash(this.#primitives, raw)
      const name = formatXetHash(hash)
      const isFirst = this.#chunkCount === 0 && this.#waiting.length === 0
      if ((isFirst || isDedupEligible(hash)) && !this.#places.has(name)) asked.push(name)
      this.#waiting.push({ raw, hash, name })
    }
    return asked
  }

  /** Where the chunk is to be read from instead of being packed again; null: it is packed. */
  #placeOf(chunk: WaitingChunk, at: number): Place | null {
    const last = this.#terms.at(-1)
    if (last !== undefined) {
      const table = this.#tables.get(last.xorb)
      const index = last.chunkEnd
      if (table !== undefined && index < table.count && isEqual(table.hash(index), chunk.hash))
        return { xorb: last.xorb, index }
    }
    const place = this.#places.get(chunk.name)
    if (place === undefined || this.#terms.length >= TERMS_MAX) return null
    if (last?.xorb === place.xorb && last.chunkEnd === place.index) return place
    const isCheap = this.#terms.length < TERMS_FREE + this.#chunkCount / TERM_MEAN_CHUNKS
    return isCheap || this.#isRun(place, at) ? place : null
  }

  #isRun({ xorb, index }: Place, at: number): boolean {
    for (let ahead = 1; ahead < TERM_MEAN_CHUNKS; ahead++) {
      const next = this.#waiting[at + ahead]
      const place = next === undefined ? undefined : this.#places.get(next.name)
      if (place?.xorb !== xorb || place.index !== index + ahead) return false
    }
    return true
  }

  #name({ xorb, index }: Place, { raw, hash }: WaitingChunk): void {
    const last = this.#terms.at(-1)
    if (last?.xorb === xorb && last.chunkEnd === index) {
      last.chunkEnd++
      last.rawBytes += raw.length
    } else {
      this.#closeTerm()
      this.#terms.push({ xorb, chunkStart: index, chunkEnd: index + 1, rawBytes: raw.length })
    }
    this.#termHashes.push(hash)
    this.#fileHash.add(hash, raw.length)
    this.#chunkCount++
    this.#sizeBytes += raw.length
  }

  #closeTerm(): void {
    if (this.#termHashes.length === 0) return
    const hashes = new Uint8Array(this.#termHashes.length * 32)
    this.#termHashes.forEach((hash, index) => hashes.set(hash, index * 32))
    this.#verification.push(verificationHash(this.#primitives, hashes))
    this.#termHashes = []
  }

  #seal(encoder: XorbEncoder): PackedXorb {
    const sealed = encoder.finish()
    this.#remember(this.#sealed.length, decodeChunkTable(sealed.chunks))
    this.#sealed.push(sealed.hash)
    this.#open = null
    return sealed
  }

  #remember(xorb: XorbName, table: ChunkTable): void {
    if (this.#tables.has(xorb) || this.#places.size >= XET_PACKER_CHUNKS_KNOWN_MAX) return
    this.#tables.set(xorb, table)
    for (let index = 0; index < table.count; index++) {
      const name = formatXetHash(table.hash(index))
      if (!this.#places.has(name)) this.#places.set(name, { xorb, index })
    }
  }
}

function isFull(xorb: XorbEncoder, next: Uint8Array): boolean {
  return xorb.chunkCount === XET_XORB_CHUNKS_MAX || xorb.rawBytes + next.length > XET_XORB_RAW_BYTES
}

function isEqual(one: Uint8Array, other: Uint8Array): boolean {
  return one.every((byte, index) => byte === other[index])
}
