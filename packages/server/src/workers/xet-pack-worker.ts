/**
 * The thread that packs a file: cutting, hashing and compressing cost seconds a GiB. It runs at the lowest priority, so
 * that on a machine with few cores whoever waits for an answer goes first. One file at a time, one message at a time.
 */
import { createHash } from 'node:crypto'
import { constants, setPriority } from 'node:os'
import { parentPort } from 'node:worker_threads'

import {
  FilePacker,
  type PackedFile,
  type PackedPart,
  type PackedXorb,
} from '@cairn/protocol/xet/file-packer'
import type { XetHash } from '@cairn/protocol/xet/hash'

import { nativePrimitives } from '../primitives.ts'
import { hashChunks } from './xorb-batch.ts'

export type PackRequest =
  /** Begins a file; `known` as in FilePacker. */
  | { kind: 'begin'; known: readonly PackedXorb[] }
  /** The next bytes, which own their buffer; null: there are no more. */
  | { kind: 'take'; bytes: Uint8Array<ArrayBuffer> | null }
  /** What was found for the chunks asked for; answers what is to be stored. */
  | { kind: 'pack'; known: readonly PackedXorb[] }

export type PackReply =
  | { kind: 'begun' }
  | { kind: 'asks'; chunks: XetHash[] }
  | { kind: 'packed'; parts: PackedRun[]; file: HashedFile | null }

export type HashedFile = PackedFile & {
  /** Of the bytes that were taken. */
  sha256: string
}

export interface PackedRun {
  bytes: Uint8Array<ArrayBuffer>
  /** The xorb that these bytes complete. */
  sealed: PackedXorb | null
}

const port = parentPort
if (port === null) throw new Error('xet-pack-worker runs in a worker thread')

// Elsewhere this would be the priority of the whole process.
if (process.platform === 'linux') setPriority(0, constants.priority.PRIORITY_LOW)

let packer = new FilePacker(nativePrimitives)
let sha256 = createHash('sha256')
let isLast = false

port.on('message', (request: PackRequest) => {
  const reply = answer(request)
  const moved = reply.kind === 'packed' ? reply.parts.map(({ bytes }) => bytes.buffer) : []
  port.postMessage(reply, moved)
})

function answer(request: PackRequest): PackReply {
  if (request.kind === 'take') {
    isLast = request.bytes === null
    if (request.bytes === null) return { kind: 'asks', chunks: packer.finish() }
    sha256.update(request.bytes)
    return { kind: 'asks', chunks: packer.push(request.bytes) }
  }
  if (request.kind === 'begin') {
    packer = new FilePacker(nativePrimitives)
    sha256 = createHash('sha256')
  }
  for (const xorb of request.known) packer.know(xorb)
  if (request.kind === 'begin') return { kind: 'begun' }
  const parts = packer.pack(isLast).map(({ chunks, sealed }) => ({ bytes: checkedBytes(chunks), sealed }))
  return { kind: 'packed', parts, file: isLast ? { ...packer.file(), sha256: sha256.digest('hex') } : null }
}

/** Whatever is stored has been decoded and hashed before, as with what clients send. */
function checkedBytes(chunks: PackedPart['chunks']): Uint8Array<ArrayBuffer> {
  const bytes = concat(chunks.map(({ serialized }) => serialized))
  if (Buffer.compare(hashChunks(bytes, 0), concat(chunks.map(({ hash }) => hash))) !== 0)
    throw new Error('Chunks that were compressed decode to something else')
  return bytes
}

function concat(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    bytes.set(part, at)
    at += part.length
  }
  return bytes
}
