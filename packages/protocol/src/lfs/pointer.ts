/**
 * git-lfs pointer files (git-lfs docs/spec.md). Canonical form, 127 to 142 bytes:
 *
 *     version https://git-lfs.github.com/spec/v1
 *     oid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393
 *     size 12345
 *
 * each line ended by a line feed. Parsing is as lenient as git-lfs 3.3 (old version addresses, CRLF, blank lines,
 * extensions), formatting is strict.
 */
import { LFS_POINTER_MAX_BYTES } from '../limits.ts'

export interface LfsPointer {
  /** Hex sha256 in lower case. */
  oid: string
  sizeBytes: number
}

const VERSION = 'https://git-lfs.github.com/spec/v1'
const VERSIONS: ReadonlySet<string> = new Set([
  VERSION,
  'https://hawser.github.com/spec/v1',
  'http://git-media.io/v/2',
])
/** Space, tab, CR, LF, VT, FF. */
const BLANKS: ReadonlySet<number> = new Set([0x20, 0x09, 0x0d, 0x0a, 0x0b, 0x0c])
/** The v of `version`. */
const VERSION_START = 0x76
const OID = /^sha256:([0-9a-f]{64})$/

export function formatPointer(pointer: LfsPointer): Uint8Array {
  if (!OID.test(`sha256:${pointer.oid}`)) throw new TypeError('An LFS oid is 64 hex digits in lower case')
  if (!Number.isSafeInteger(pointer.sizeBytes) || pointer.sizeBytes < 0)
    throw new TypeError('An LFS size is a whole number')
  return new TextEncoder().encode(
    `version ${VERSION}\noid sha256:${pointer.oid}\nsize ${pointer.sizeBytes}\n`,
  )
}

/** Null when the bytes are not a pointer; most files are not. Looks at no more than `LFS_POINTER_MAX_BYTES`. */
export function parsePointer(bytes: Uint8Array): LfsPointer | null {
  if (bytes.length === 0 || bytes.length >= LFS_POINTER_MAX_BYTES) return null
  if (!startsLikeOne(bytes)) return null
  const text = decode(bytes)
  if (text === null) return null
  const fields: [key: string, value: string][] = []
  for (const line of text.replace(/^[ \t\r\n\v\f]+|[ \t\r\n\v\f]+$/g, '').split(/\r?\n/)) {
    if (line === '') continue
    const space = line.indexOf(' ')
    if (space === -1) return null
    fields.push([line.slice(0, space), line.slice(space + 1)])
  }
  const [version, ...rest] = fields
  if (version?.[0] !== 'version' || !VERSIONS.has(version[1])) return null
  if (!areExtensions(rest.filter(([key]) => key.startsWith('ext-')))) return null
  const [oid, size, ...surplus] = rest.filter(([key]) => !key.startsWith('ext-'))
  if (surplus.length > 0) return null
  const hash = oid?.[0] === 'oid' ? OID.exec(oid[1])?.[1] : undefined
  if (hash === undefined || size?.[0] !== 'size' || !/^[+-]?\d{1,19}$/.test(size[1])) return null
  const sizeBytes = Number(size[1])
  return Number.isSafeInteger(sizeBytes) && sizeBytes >= 0
    ? { oid: hash, sizeBytes: Math.abs(sizeBytes) }
    : null
}

/** Spares most files the rest. */
function startsLikeOne(bytes: Uint8Array): boolean {
  let at = 0
  while (BLANKS.has(bytes[at]!)) at += 1
  return bytes[at] === VERSION_START
}

/** Lines `ext-{priority}-{name} sha256:{oid}`. What extensions did to the content is not the hub's concern. */
function areExtensions(fields: readonly [key: string, value: string][]): boolean {
  const priorities = new Set(fields.map(([key]) => key[4]))
  return (
    priorities.size === fields.length &&
    fields.every(([key, value]) => /^ext-\d-\w+$/.test(key) && OID.test(value))
  )
}

function decode(bytes: Uint8Array): string | null {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    // A TypeError: not UTF-8, so not a pointer.
    return null
  }
}
