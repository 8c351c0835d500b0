/**
 * Commits, trees and annotated tags that name other objects than before and are the same in every other byte:
 * identities, encodings, unknown headers and odd names stay as they are. A signature speaks about bytes that no longer exist and is dropped.
 */
import { FormatError } from '../errors.ts'
import { isOid, oidFromBytes, writeOid } from './objects.ts'

const OID_BYTES = 20
const FOLDER_MODE = '40000'

const LINE_FEED = 0x0a
const SPACE = 0x20
const encoder = new TextEncoder()
const decoder = new TextDecoder('latin1')
const SIGNATURES: ReadonlySet<string> = new Set(['gpgsig', 'gpgsig-sha256'])
const TAG_SIGNATURE = /^-----BEGIN (?:PGP|SSH|SIGNED) (?:SIGNATURE|MESSAGE)-----$/

/** Throws FormatError unless the bytes begin as a commit does, with its tree. */
export function rewriteCommit(
  bytes: Uint8Array,
  change: { treeOid: string; parents: readonly string[] },
): Uint8Array {
  const { headers, body } = split(bytes)
  if (headers[0]?.name !== 'tree') throw new FormatError('A commit begins with its tree', 0)
  const kept = headers.slice(1).filter(({ name }) => name !== 'parent' && !SIGNATURES.has(name))
  return join([
    encoder.encode(`tree ${checked(change.treeOid)}\n`),
    ...change.parents.map((parent) => encoder.encode(`parent ${checked(parent)}\n`)),
    ...kept.map(({ lines }) => lines),
    body,
  ])
}

/** One entry of a tree as it lies in the bytes: mode, space, name, NUL and oid from `start` to `end`. */
export interface TreeSpan {
  isFolder: boolean
  oid: string
  start: number
  end: number
}

/** The entries that are folders or among `blobs`: those that a rewriting may have to change. */
export function findSpans(bytes: Uint8Array, blobs: ReadonlySet<string>): TreeSpan[] {
  // Most entries are neither; one look at a byte of their oid spares its decoding.
  const begins = new Uint8Array(256)
  for (const oid of blobs) begins[Number.parseInt(oid.slice(0, 2), 16)] = 1
  const spans: TreeSpan[] = []
  for (let start = 0; start < bytes.length;) {
    const nul = bytes.indexOf(0, start)
    const end = nul + 1 + OID_BYTES
    if (nul < 0 || end > bytes.length) throw new FormatError('A tree entry is cut short', start)
    const isFolder = bytes[start] === 0x34 && bytes[start + FOLDER_MODE.length] === SPACE
    if (isFolder || begins[bytes[nul + 1] ?? 0] === 1) {
      const oid = oidFromBytes(bytes, nul + 1)
      if (isFolder || blobs.has(oid)) spans.push({ isFolder, oid, start, end })
    }
    start = end
  }
  return spans
}

/** The same tree with some of its entries pointing elsewhere, or gone (null). `changes` are in the order of the bytes. */
export function rewriteTree(
  bytes: Uint8Array,
  changes: readonly (TreeSpan & { next: string | null })[],
): Uint8Array {
  const parts: Uint8Array[] = []
  let at = 0
  for (const { start, end, next } of changes) {
    if (next === null) parts.push(bytes.subarray(at, start))
    else {
      const oid = new Uint8Array(OID_BYTES)
      writeOid(checked(next), oid, 0)
      parts.push(bytes.subarray(at, end - OID_BYTES), oid)
    }
    at = end
  }
  return join([...parts, bytes.subarray(at)])
}

/** Throws FormatError unless the bytes begin as a tag does, with its object. */
export function rewriteTag(bytes: Uint8Array, targetOid: string): Uint8Array {
  const { headers, body } = split(bytes)
  if (headers[0]?.name !== 'object') throw new FormatError('A tag begins with its object', 0)
  const kept = headers.slice(1).filter(({ name }) => !SIGNATURES.has(name))
  return join([
    encoder.encode(`object ${checked(targetOid)}\n`),
    ...kept.map(({ lines }) => lines),
    withoutSignature(body),
  ])
}

interface Header {
  name: string
  /** The line, those that continue it, and their line feeds. */
  lines: Uint8Array
}

/** `body` is the message with the empty line before it. */
function split(bytes: Uint8Array): { headers: Header[]; body: Uint8Array } {
  const headers: Header[] = []
  let at = 0
  while (at < bytes.length && bytes[at] !== LINE_FEED) {
    const start = at
    do {
      const end = bytes.indexOf(LINE_FEED, at)
      if (end < 0) throw new FormatError('A header line has no end', at)
      at = end + 1
    } while (bytes[at] === SPACE)
    const lines = bytes.subarray(start, at)
    const space = lines.indexOf(SPACE)
    if (space <= 0) throw new FormatError('A header line has no value', start)
    headers.push({ name: decoder.decode(lines.subarray(0, space)), lines })
  }
  return { headers, body: bytes.subarray(at) }
}

/** git appends a tag's signature to its message. */
function withoutSignature(body: Uint8Array): Uint8Array {
  for (let at = 0; at < body.length;) {
    const end = body.indexOf(LINE_FEED, at)
    const next = end < 0 ? body.length : end
    if (TAG_SIGNATURE.test(decoder.decode(body.subarray(at, Math.min(next, at + 64)))))
      return body.subarray(0, at)
    at = next + 1
  }
  return body
}

function join(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}

function checked(oid: string): string {
  if (!isOid(oid)) throw new TypeError('Not an oid')
  return oid
}
