/**
 * Git objects as values: what an oid is computed from, and trees. Commits and tags are in commits.ts.
 *
 *   object  = type ' ' size-in-decimal '\0' body        oid = sha1(object)
 *   tree    = { mode-in-octal ' ' name '\0' oid(20) }   sorted by name, a folder as if it ended with '/'
 *
 * A tree of one empty file `a`: `100644 a\0` e69de29bb2d1d6434b8b29ae775ad8c2e48c5391 = 29 bytes.
 */
import { FormatError } from '../errors.ts'
import type { Primitives } from '../primitives.ts'
import { decodeName, encodeName } from './names.ts'
import { isDotGit } from './paths.ts'

export type GitObjectType = 'blob' | 'tree' | 'commit' | 'tag'

/** An object ready to be stored: `bytes` is the body without git's `type size\0` header. */
export interface NewObject {
  oid: string
  type: GitObjectType
  bytes: Uint8Array
}

/** Regular, executable, symbolic link, folder, submodule. */
export const GIT_MODES = ['100644', '100755', '120000', '40000', '160000'] as const
export type GitMode = (typeof GIT_MODES)[number]

export interface TreeEntry {
  /** One path component. Bytes that are not UTF-8 are escaped as in names.ts. */
  name: string
  mode: GitMode
  oid: string
}

export const EMPTY_TREE_OID = '4b825dc642cb6eb9a060e54bf8d69288fbee4904'

const OID_BYTES = 20
const OID = /^[0-9a-f]{40}$/
const NULL_OID = '0'.repeat(2 * OID_BYTES)
const encoder = new TextEncoder()
const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'))

export function isOid(text: string): boolean {
  return OID.test(text)
}

export function objectHeader(type: GitObjectType, sizeBytes: number): Uint8Array {
  return encoder.encode(`${type} ${sizeBytes}\0`)
}

export function objectOid(
  primitives: Pick<Primitives, 'sha1'>,
  type: GitObjectType,
  bytes: Uint8Array,
): string {
  const header = objectHeader(type, bytes.length)
  const object = new Uint8Array(header.length + bytes.length)
  object.set(header)
  object.set(bytes, header.length)
  return oidFromBytes(primitives.sha1(object), 0)
}

export function newObject(
  primitives: Pick<Primitives, 'sha1'>,
  type: GitObjectType,
  bytes: Uint8Array,
): NewObject {
  return { oid: objectOid(primitives, type, bytes), type, bytes }
}

/** Sorts as git does; the order of `entries` does not matter. Throws TypeError for what no tree may hold. */
export function encodeTree(entries: readonly TreeEntry[]): Uint8Array {
  const names = new Set<string>()
  let sizeBytes = 0
  const rows = entries.map((entry) => {
    const name = encodeName(entry.name)
    const problem = nameProblem(entry.name) ?? (isOid(entry.oid) && entry.oid !== NULL_OID ? null : 'bad oid')
    if (problem !== null) throw new TypeError(`Tree entry '${entry.name}': ${problem}`)
    if (names.has(entry.name)) throw new TypeError(`Tree entry '${entry.name}' occurs twice`)
    names.add(entry.name)
    sizeBytes += entry.mode.length + 1 + name.length + 1 + OID_BYTES
    return { name, entry, isFolder: entry.mode === '40000' }
  })
  rows.sort((a, b) => compareNames(a.name, a.isFolder, b.name, b.isFolder))
  const bytes = new Uint8Array(sizeBytes)
  let at = 0
  for (const { name, entry } of rows) {
    at += encoder.encodeInto(`${entry.mode} `, bytes.subarray(at)).written
    bytes.set(name, at)
    at += name.length + 1
    writeOid(entry.oid, bytes, at)
    at += OID_BYTES
  }
  return bytes
}

/** Accepts what `git fsck --strict` accepts. Permissions of files are read as git reads them: executable or not. */
export function parseTree(bytes: Uint8Array): TreeEntry[] {
  const entries: TreeEntry[] = []
  const names = new Set<string>()
  let previous: { name: Uint8Array; isFolder: boolean } | null = null
  for (let at = 0; at < bytes.length;) {
    const start = at
    const space = bytes.indexOf(0x20, at)
    if (space < 0 || space - at > 6) throw new FormatError('A tree entry has no mode', start)
    const mode = modeOf(latin1(bytes, at, space))
    if (mode === null) throw new FormatError('A tree entry has an unknown mode', start)
    const end = bytes.indexOf(0, space + 1)
    if (end < 0) throw new FormatError('A tree entry has no end of its name', start)
    if (end + 1 + OID_BYTES > bytes.length) throw new FormatError('A tree entry has no oid', start)
    const rawName = bytes.subarray(space + 1, end)
    const name = decodeName(rawName)
    const problem = nameProblem(name)
    if (problem !== null)
      throw new FormatError(`A tree entry has a name that is not allowed: ${problem}`, start)
    const isFolder = mode === '40000'
    if (names.has(name)) throw new FormatError('A tree names an entry twice', start)
    if (previous !== null && compareNames(previous.name, previous.isFolder, rawName, isFolder) >= 0)
      throw new FormatError('A tree is not sorted', start)
    const oid = oidFromBytes(bytes, end + 1)
    if (oid === NULL_OID) throw new FormatError('A tree entry points nowhere', start)
    names.add(name)
    previous = { name: rawName, isFolder }
    entries.push({ name, mode, oid })
    at = end + 1 + OID_BYTES
  }
  return entries
}

export function oidFromBytes(bytes: Uint8Array, offset: number): string {
  let oid = ''
  for (let at = offset; at < offset + OID_BYTES; at++) oid += HEX[bytes[at]!]
  return oid
}

export function writeOid(oid: string, into: Uint8Array, offset: number): void {
  for (let at = 0; at < OID_BYTES; at++)
    into[offset + at] = Number.parseInt(oid.slice(2 * at, 2 * at + 2), 16)
}

function nameProblem(name: string): string | null {
  if (name === '') return 'empty'
  if (name === '.' || name === '..') return name
  if (name.includes('/') || name.includes('\0')) return "'/' or NUL"
  // Only names like these can be a disguise of .git; the test is for the speed of large folders.
  if (/^[.gG]|[\u200c-\u206f\ufeff]/.test(name) && isDotGit(name)) return 'a disguise of .git'
  return null
}

function modeOf(octal: string): GitMode | null {
  if (octal === '40000' || octal === '120000' || octal === '160000') return octal
  if (!/^100[0-7]{3}$/.test(octal)) return null
  return Number.parseInt(octal, 8) & 0o100 ? '100755' : '100644'
}

/** Byte order, where the name of a folder continues with '/' and any other name with NUL. */
function compareNames(a: Uint8Array, aIsFolder: boolean, b: Uint8Array, bIsFolder: boolean): number {
  const shared = Math.min(a.length, b.length)
  for (let at = 0; at < shared; at++) if (a[at] !== b[at]) return a[at]! - b[at]!
  const aNext = a.length > shared ? a[shared]! : aIsFolder ? 0x2f : 0
  const bNext = b.length > shared ? b[shared]! : bIsFolder ? 0x2f : 0
  return aNext - bNext
}

function latin1(bytes: Uint8Array, start: number, end: number): string {
  let text = ''
  for (let at = start; at < end; at++) text += String.fromCharCode(bytes[at]!)
  return text
}
