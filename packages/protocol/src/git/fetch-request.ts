/**
 * What a client asks `upload-pack` for, read as far as the hub must know it (gitprotocol-v2, gitprotocol-pack):
 *
 *   version 2       command=fetch LF, capabilities, 0001, thin-pack, want <oid>, have <oid>, done, 0000
 *                   command=ls-refs LF, capabilities, 0001, peel, symrefs, ref-prefix <prefix>, 0000
 *   version 0, 1    want <oid> SP capabilities, want <oid>, deepen <n>, 0000, have <oid> …
 *
 *                   Both may say `shallow <oid>`: here the client's history ends.
 *
 * git reads the same bytes afterwards; whatever it would take for a `want` or a `shallow` must be one here.
 */
import { FormatError } from '../errors.ts'
import { FETCH_COMMAND_MAX_BYTES } from '../limits.ts'
import { PacketReader } from './pkt-line.ts'

export interface FetchRequest {
  /** Null in versions 0 and 1, where there is one only, and for a request without any. */
  command: 'fetch' | 'ls-refs' | null
  wants: string[]
  shallows: string[]
  /** Whether `ls-refs` asks for certain refs rather than for all. */
  hasPrefixes: boolean
}

const OBJECT = /^(?:want|shallow) ([0-9a-fA-F]{40})(?![0-9a-fA-F])/
/** Enough for the longest line that matters here; capabilities behind a first `want` are longer. */
const LINE_START_BYTES = 64

export function parseFetchRequest(bytes: Uint8Array, version: 0 | 1 | 2): FetchRequest {
  const reader = new PacketReader()
  reader.push(bytes)
  const request: FetchRequest = { command: null, wants: [], shallows: [], hasPrefixes: false }
  for (let isFirst = true; ; isFirst = false) {
    const at = reader.offset
    const packet = reader.next()
    if (packet === null) throw new FormatError('The request ends before its last packet', at)
    // What follows is not looked at by git either, or holds no wants.
    if (packet.kind === 'flush') return request
    if (packet.kind !== 'data') continue
    const line = start(packet.payload)
    if (version === 2 && isFirst) request.command = commandOf(line, packet.payload.length, at)
    else if (line.startsWith('want ')) request.wants.push(objectOf(line, at))
    else if (line.startsWith('shallow ')) request.shallows.push(objectOf(line, at))
    else if (line.startsWith('ref-prefix ')) request.hasPrefixes = true
  }
}

/** The same request as of a client whose history does not end at these commits. */
export function withoutShallows(bytes: Uint8Array, oids: ReadonlySet<string>): Uint8Array {
  const reader = new PacketReader()
  reader.push(bytes)
  const kept = new Uint8Array(bytes.length)
  let sizeBytes = 0
  for (let at = 0; at < bytes.length; at = reader.offset) {
    const packet = reader.next()
    const isEnd = packet === null || packet.kind === 'flush'
    const line = packet?.kind === 'data' ? start(packet.payload) : ''
    if (line.startsWith('shallow ') && oids.has(objectOf(line, at))) continue
    const part = bytes.subarray(at, isEnd ? bytes.length : reader.offset)
    kept.set(part, sizeBytes)
    sizeBytes += part.length
    if (isEnd) break
  }
  return kept.subarray(0, sizeBytes)
}

function commandOf(line: string, sizeBytes: number, at: number): 'fetch' | 'ls-refs' {
  const command = sizeBytes > FETCH_COMMAND_MAX_BYTES ? '' : line.trimEnd()
  if (command === 'command=fetch') return 'fetch'
  if (command === 'command=ls-refs') return 'ls-refs'
  throw new FormatError('The request has no command that is known', at)
}

function objectOf(line: string, at: number): string {
  const oid = OBJECT.exec(line)?.[1]
  if (oid === undefined) throw new FormatError("A 'want' or 'shallow' names no object", at)
  return oid.toLowerCase()
}

function start(payload: Uint8Array): string {
  let text = ''
  for (const byte of payload.subarray(0, LINE_START_BYTES)) text += String.fromCharCode(byte)
  return text
}
