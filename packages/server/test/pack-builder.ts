/** Packs by hand, also those that no git would make, and pushes of them byte for byte. */
import { createHash } from 'node:crypto'
import { constants, deflateSync } from 'node:zlib'

import { encodePacket, FLUSH, PacketReader } from '@cairn/protocol/git/pkt-line'
import { TOKENS, type TestHub } from '@cairn/testkit/start-hub'

const TYPES = { commit: 1, tree: 2, blob: 3, tag: 4, ofsDelta: 6, refDelta: 7 } as const
export const NO_OID = '0'.repeat(40)

export interface PackEntry {
  type: keyof typeof TYPES
  bytes: Uint8Array
  /** When it is not that of the bytes. */
  declaredBytes?: number
  /** Of a delta: the oid, or how many bytes before this entry. */
  base?: string | number
}

export function oidOf(type: string, bytes: Uint8Array): string {
  return createHash('sha1').update(`${type} ${bytes.length}\0`).update(bytes).digest('hex')
}

export function packOf(entries: readonly PackEntry[], count: number = entries.length): Buffer {
  const header = Buffer.from('PACK\0\0\0\x02\0\0\0\0', 'latin1')
  header.writeUInt32BE(count, 8)
  const pack = Buffer.concat([header, ...entries.map(encodeEntry)])
  return Buffer.concat([pack, createHash('sha1').update(pack).digest()])
}

export function encodeEntry({ type, bytes, declaredBytes = bytes.length, base }: PackEntry): Buffer {
  const link = typeof base === 'string' ? Buffer.from(base, 'hex') : base === undefined ? [] : offset(base)
  return Buffer.concat([
    entryHead(type, declaredBytes),
    Buffer.from(link),
    deflateSync(bytes, { level: constants.Z_BEST_SPEED }),
  ])
}

export function entryHead(type: PackEntry['type'], sizeBytes: number): Buffer {
  const head = [(TYPES[type] << 4) | (sizeBytes & 15)]
  for (let rest = Math.floor(sizeBytes / 16); rest > 0; rest = Math.floor(rest / 128)) {
    head[head.length - 1]! |= 0x80
    head.push(rest % 128)
  }
  return Buffer.from(head)
}

/** gitformat-pack: seven bits a byte, highest first, each further byte counting one more. */
function offset(distance: number): number[] {
  const bytes = [distance & 127]
  for (let rest = distance >> 7; rest > 0; rest >>= 7) {
    rest -= 1
    bytes.unshift((rest & 127) | 128)
  }
  return bytes
}

function varint(value: number): number[] {
  const bytes = [value & 127]
  for (let rest = Math.floor(value / 128); rest > 0; rest = Math.floor(rest / 128)) {
    bytes[bytes.length - 1]! |= 0x80
    bytes.push(rest % 128)
  }
  return bytes
}

/** Copies the whole of a base of up to 65,535 bytes, as often as said, and appends text. */
export function deltaOf(baseBytes: number, times: number, text: string, declaredBytes?: number): Buffer {
  const copy = [0x80 | 0x30, baseBytes & 255, baseBytes >> 8]
  return Buffer.from([
    ...varint(baseBytes),
    ...varint(declaredBytes ?? baseBytes * times + text.length),
    ...Array.from({ length: times }, () => copy).flat(),
    text.length,
    ...Buffer.from(text),
  ])
}

export function treeOf(entries: readonly [mode: string, name: string, oid: string][]): Buffer {
  return Buffer.concat(
    entries.flatMap(([mode, name, oid]) => [Buffer.from(`${mode} ${name}\0`), Buffer.from(oid, 'hex')]),
  )
}

export function commitOf(treeOid: string, parents: readonly string[] = []): Buffer {
  const who = 'Ana <ana@example.com> 1700000000 +0000'
  const lines = [
    `tree ${treeOid}`,
    ...parents.map((oid) => `parent ${oid}`),
    `author ${who}`,
    `committer ${who}`,
  ]
  return Buffer.from(`${lines.join('\n')}\n\nby hand\n`)
}

export interface Command {
  old?: string
  next: string
  name: string
}

const CAPABILITIES = 'report-status side-band-64k object-format=sha1'

export function commandsOf(commands: readonly Command[], capabilities: string = CAPABILITIES): Buffer {
  const lines = commands.map(({ old = NO_OID, next, name }, index) =>
    encodePacket(`${old} ${next} ${name}${index === 0 ? `\0 ${capabilities}` : ''}`),
  )
  return Buffer.concat([...lines, FLUSH])
}

/** As alice; returns the status, and what came in the bands or as text. */
export async function pushRaw(
  hub: TestHub,
  id: string,
  body: Uint8Array<ArrayBuffer>,
  headers: Record<string, string> = {},
): Promise<{ status: number; said: string }> {
  const answer = await fetch(`${hub.url}/${id}/git-receive-pack`, {
    method: 'POST',
    headers: {
      Authorization: `Bearer ${TOKENS.alice}`,
      'Content-Type': 'application/x-git-receive-pack-request',
      ...headers,
    },
    body,
  })
  const bytes = new Uint8Array(await answer.arrayBuffer())
  const isReport = answer.headers.get('Content-Type')?.endsWith('-result')
  return { status: answer.status, said: isReport ? unband(bytes) : Buffer.from(bytes).toString() }
}

/** Lines for people, and behind them those of the report. */
export function unband(bytes: Uint8Array): string {
  const bands = ['', '', '', '']
  for (const payload of payloads(bytes)) {
    const text = payload.toString('latin1', 1)
    bands[payload[0]!] += text
  }
  return bands[2] + payloads(Buffer.from(bands[1]!, 'latin1')).join('')
}

function payloads(bytes: Uint8Array): Buffer[] {
  const reader = new PacketReader()
  reader.push(bytes)
  const found: Buffer[] = []
  for (let packet = reader.next(); packet !== null; packet = reader.next())
    if (packet.kind === 'data') found.push(Buffer.from(packet.payload))
  return found
}
