import fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import { FormatError } from '../errors.ts'
import { PACKET_MAX_BYTES } from '../limits.ts'
import { parseFetchRequest } from './fetch-request.ts'
import { encodePacket, encodeSideBand, FLUSH, type Packet, PacketReader } from './pkt-line.ts'

const text = new TextEncoder()
const MARKS = { flush: '0000', delimiter: '0001', end: '0002' } as const
const packet: fc.Arbitrary<Packet> = fc.oneof(
  fc.uint8Array({ maxLength: 40 }).map((payload): Packet => ({ kind: 'data', payload })),
  fc.constantFrom(...(['flush', 'delimiter', 'end'] as const)).map((kind): Packet => ({ kind })),
)

function encode(packets: readonly Packet[]): Uint8Array {
  return join(
    packets.map((one) => (one.kind === 'data' ? encodePacket(one.payload) : text.encode(MARKS[one.kind]))),
  )
}

function join(parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]))
}

/** All packets of the bytes, which arrive in pieces that end at the given places. */
function readAll(bytes: Uint8Array, cuts: readonly number[] = []): Packet[] {
  const reader = new PacketReader()
  const packets: Packet[] = []
  const ends = [...cuts.map((cut) => cut % (bytes.length + 1)).toSorted((a, b) => a - b), bytes.length]
  let at = 0
  for (const end of ends) {
    reader.push(bytes.subarray(at, end))
    at = end
    for (let next = reader.next(); next !== null; next = reader.next()) packets.push(next)
  }
  return packets
}

describe('packets', () => {
  test('arrive as they were sent, however they are cut', () => {
    fc.assert(
      fc.property(
        fc.array(packet, { maxLength: 12 }),
        fc.array(fc.nat(), { maxLength: 12 }),
        (packets, cuts) => {
          expect(readAll(encode(packets), cuts)).toEqual(packets)
        },
      ),
    )
  })

  test('changed bytes are other packets or a FormatError', () => {
    fc.assert(
      fc.property(
        fc.array(packet, { minLength: 1, maxLength: 6 }),
        fc.nat(),
        fc.nat({ max: 255 }),
        (packets, where, byte) => {
          const bytes = encode(packets)
          bytes[where % bytes.length] = byte
          try {
            readAll(bytes)
          } catch (error) {
            expect(error).toBeInstanceOf(FormatError)
          }
        },
      ),
    )
  })

  test('have a length of four hex digits that counts itself, up to what git allows', () => {
    expect(new TextDecoder().decode(encodePacket('done\n'))).toBe('0009done\n')
    expect(encodePacket(new Uint8Array(PACKET_MAX_BYTES - 4)).subarray(0, 4)).toEqual(text.encode('fff0'))
    expect(() => encodePacket(new Uint8Array(PACKET_MAX_BYTES - 3))).toThrow(TypeError)
    for (const bad of ['fff1', 'ffff', '0003', 'zzzz', '-001', '0x10', ' 123'])
      expect(() => readAll(text.encode(`${bad}aaaa`)), bad).toThrow(FormatError)
  })

  test('what comes after them can be taken off', () => {
    const reader = new PacketReader()
    reader.push(join([encodePacket('a'), FLUSH, text.encode('PACK')]))
    expect(reader.next()).toEqual({ kind: 'data', payload: text.encode('a') })
    expect(reader.next()).toEqual({ kind: 'flush' })
    expect(reader.offset).toBe(9)
    expect(reader.rest()).toEqual(text.encode('PACK'))
    expect(reader.next()).toBeNull()
  })

  test('a long side band takes several', () => {
    const bytes = new Uint8Array(150_000).map((_, at) => at)
    const packets = readAll(join(encodeSideBand(1, bytes)))
    const payloads = packets.map((one) => (one.kind === 'data' ? one.payload : new Uint8Array()))
    expect(payloads.map((payload) => payload[0])).toEqual([1, 1, 1])
    expect(join(payloads.map((payload) => payload.subarray(1)))).toEqual(bytes)
  })
})

describe('fetch requests', () => {
  const A = 'a'.repeat(40)
  const B = 'b'.repeat(40)
  const bytes = (...lines: (string | null)[]) =>
    join(
      lines.map((line) => (line === null ? FLUSH : line === '0001' ? text.encode(line) : encodePacket(line))),
    )

  test('say what they want', () => {
    const old = bytes(
      `want ${A} side-band-64k agent=git\n`,
      `want ${B}\n`,
      `shallow ${B}\n`,
      'deepen 1\n',
      null,
      `have ${A}\n`,
      'done\n',
    )
    expect(parseFetchRequest(old, 0)).toEqual({
      command: null,
      wants: [A, B],
      shallows: [B],
      hasPrefixes: false,
    })
    const v2 = bytes(
      'command=fetch\n',
      'agent=git',
      '0001',
      'thin-pack',
      `want ${A.toUpperCase()}`,
      `have ${B}`,
      'done',
      null,
    )
    expect(parseFetchRequest(v2, 2)).toEqual({
      command: 'fetch',
      wants: [A],
      shallows: [],
      hasPrefixes: false,
    })
    expect(parseFetchRequest(bytes('command=ls-refs', '0001', 'ref-prefix refs/heads/', null), 2)).toEqual({
      command: 'ls-refs',
      wants: [],
      shallows: [],
      hasPrefixes: true,
    })
    expect(parseFetchRequest(FLUSH, 2)).toEqual({
      command: null,
      wants: [],
      shallows: [],
      hasPrefixes: false,
    })
  })

  test('no want is overlooked or half read', () => {
    for (const line of [`want ${A}${B}`, `want ${A.slice(1)}`, 'want ', `want  ${A}`, `want x${A}`])
      expect(() => parseFetchRequest(bytes(line, null), 0), line).toThrow(FormatError)
    for (const line of [`want ${A}\0have`, `want ${A} x`, `want ${A}\n`])
      expect(parseFetchRequest(bytes(line, null), 1).wants, line).toEqual([A])
  })

  test('without an end, or in version 2 without a command that is known, are refused', () => {
    expect(() => parseFetchRequest(bytes(`want ${A}`), 0)).toThrow(FormatError)
    for (const first of ['command=push', `command=fetch${'\n'.repeat(40)}`, `want ${A}`, 'agent=git'])
      expect(() => parseFetchRequest(bytes(first, null), 2), first).toThrow(FormatError)
  })
})
