/**
 * Commits and annotated tags. Both are header lines, an empty line and a message:
 *
 *   tree <oid>                              object <oid>
 *   parent <oid>          (0 or more)       type commit
 *   author <identity>                       tag <name>
 *   committer <identity>                    tagger <identity>      (absent in very old tags)
 *
 *   <identity> = name ' <' email '> ' seconds ' ' ±hhmm
 *
 * Other headers (encoding, gpgsig, mergetag …) are kept by name; a value of several lines continues each line
 * with one space. What is written passes `git fsck --strict`; what is parsed may be anything that passed it.
 */
import { FormatError } from '../errors.ts'
import { GIT_HEADERS_MAX } from '../limits.ts'
import { type GitObjectType, isOid } from './objects.ts'

export interface Identity {
  name: string
  email: string
  /** Seconds since the epoch. */
  seconds: number
  /** `+0000`, `-0330`. */
  timezone: string
}

interface Header {
  name: string
  value: string
}

export interface Commit {
  treeOid: string
  parents: string[]
  author: Identity
  committer: Identity
  /** Headers after the committer, in order. */
  headers?: Header[]
  message: string
}

export interface Tag {
  targetOid: string
  targetType: GitObjectType
  name: string
  tagger: Identity | null
  message: string
}

const encoder = new TextEncoder()
const IDENTITY = /^([^<>\n]*) <([^<>\n]*)> (0|[1-9]\d{0,14}) ([+-]\d{4})$/

/** Throws TypeError for values that git would refuse; names, emails and messages are made acceptable instead. */
export function encodeCommit(commit: Commit): Uint8Array {
  const lines = [`tree ${checkedOid(commit.treeOid)}`]
  for (const parent of commit.parents) lines.push(`parent ${checkedOid(parent)}`)
  lines.push(`author ${formatIdentity(commit.author)}`, `committer ${formatIdentity(commit.committer)}`)
  for (const { name, value } of commit.headers ?? []) lines.push(`${name} ${value.replaceAll('\n', '\n ')}`)
  return encoder.encode(`${lines.join('\n')}\n\n${cleanMessage(commit.message)}`)
}

export function parseCommit(bytes: Uint8Array): Commit {
  const reader = readHeaders(bytes)
  const treeOid = oidHeader(reader, 'tree')
  const parents: string[] = []
  while (reader.headers[reader.next]?.name === 'parent') parents.push(oidHeader(reader, 'parent'))
  const author = parseIdentity(take(reader, 'author'), reader)
  const committer = parseIdentity(take(reader, 'committer'), reader)
  const headers = reader.headers.slice(reader.next)
  const charset = headers.find((header) => header.name === 'encoding')?.value
  const message = decoderFor(charset).decode(bytes.subarray(reader.bodyOffset))
  return { treeOid, parents, author, committer, ...(headers.length > 0 && { headers }), message }
}

export function encodeTag(tag: Tag): Uint8Array {
  if (!/^[^\n\0]+$/.test(tag.name)) throw new TypeError('A tag has a name of one line')
  const lines = [`object ${checkedOid(tag.targetOid)}`, `type ${tag.targetType}`, `tag ${tag.name}`]
  if (tag.tagger !== null) lines.push(`tagger ${formatIdentity(tag.tagger)}`)
  return encoder.encode(`${lines.join('\n')}\n\n${cleanMessage(tag.message)}`)
}

export function parseTag(bytes: Uint8Array): Tag {
  const reader = readHeaders(bytes)
  const targetOid = oidHeader(reader, 'object')
  const type = take(reader, 'type')
  if (type !== 'commit' && type !== 'tree' && type !== 'blob' && type !== 'tag')
    throw new FormatError('A tag points to an unknown type', lastOffset(reader))
  const name = take(reader, 'tag')
  const hasTagger = reader.headers[reader.next]?.name === 'tagger'
  const tagger = hasTagger ? parseIdentity(take(reader, 'tagger'), reader) : null
  const message = decoderFor(undefined).decode(bytes.subarray(reader.bodyOffset))
  return { targetOid, targetType: type, name, tagger, message }
}

/** What a person may call themselves, made safe for an identity line. */
function formatIdentity(identity: Identity): string {
  if (!Number.isSafeInteger(identity.seconds) || identity.seconds < 0 || identity.seconds >= 1e15)
    throw new TypeError(`A date of ${identity.seconds} seconds`)
  if (!/^[+-]\d{4}$/.test(identity.timezone)) throw new TypeError(`A time zone of ${identity.timezone}`)
  const name = cleanIdentityPart(identity.name) || 'unknown'
  return `${name} <${cleanIdentityPart(identity.email)}> ${identity.seconds} ${identity.timezone}`
}

function cleanIdentityPart(text: string): string {
  // eslint-disable-next-line no-control-regex -- control characters are what is looked for
  return text.replace(/[\x00-\x1f\x7f<>]/g, '').trim()
}

/** git forbids NUL; every tool expects the last line to end. */
function cleanMessage(message: string): string {
  const text = message.replaceAll('\0', '')
  return text.endsWith('\n') ? text : `${text}\n`
}

function checkedOid(oid: string): string {
  if (!isOid(oid)) throw new TypeError('Not an oid')
  return oid
}

interface HeaderReader {
  headers: Header[]
  /** Where each header starts. */
  offsets: number[]
  next: number
  bodyOffset: number
}

function readHeaders(bytes: Uint8Array): HeaderReader {
  const headers: Header[] = []
  const offsets: number[] = []
  const decoder = decoderFor(undefined)
  let at = 0
  for (let lines = 0; at < bytes.length; lines++) {
    if (lines >= GIT_HEADERS_MAX) throw new FormatError(`More than ${GIT_HEADERS_MAX} header lines`, at)
    const end = bytes.indexOf(0x0a, at)
    if (end < 0) throw new FormatError('A header line has no end', at)
    if (end === at) return { headers, offsets, next: 0, bodyOffset: end + 1 }
    const line = decoder.decode(bytes.subarray(at, end))
    const space = line.indexOf(' ')
    const last = headers.at(-1)
    if (space < 0) throw new FormatError('A header line has no value', at)
    if (space > 0) {
      headers.push({ name: line.slice(0, space), value: line.slice(space + 1) })
      offsets.push(at)
    } else if (last === undefined) throw new FormatError('The first header line continues nothing', at)
    else last.value += `\n${line.slice(1)}`
    at = end + 1
  }
  // A message may be missing altogether; git accepts headers alone.
  return { headers, offsets, next: 0, bodyOffset: at }
}

function take(reader: HeaderReader, name: string): string {
  const header = reader.headers[reader.next]
  if (header?.name !== name)
    throw new FormatError(`Expected the header '${name}'`, reader.offsets[reader.next] ?? 0)
  reader.next += 1
  return header.value
}

function oidHeader(reader: HeaderReader, name: string): string {
  const value = take(reader, name)
  if (!isOid(value)) throw new FormatError(`The header '${name}' holds no oid`, lastOffset(reader))
  return value
}

function lastOffset(reader: HeaderReader): number {
  return reader.offsets[reader.next - 1] ?? 0
}

function parseIdentity(text: string, reader: HeaderReader): Identity {
  const match = IDENTITY.exec(text)
  if (match === null) throw new FormatError('A header holds no identity', lastOffset(reader))
  return { name: match[1]!.trim(), email: match[2]!, seconds: Number(match[3]), timezone: match[4]! }
}

/** UTF-8 unless the commit says otherwise; an unknown charset is read as UTF-8, and what does not fit becomes U+FFFD. */
function decoderFor(charset: string | undefined): InstanceType<typeof TextDecoder> {
  try {
    return new TextDecoder(charset ?? 'utf-8', { ignoreBOM: true })
  } catch {
    return new TextDecoder('utf-8', { ignoreBOM: true })
  }
}
