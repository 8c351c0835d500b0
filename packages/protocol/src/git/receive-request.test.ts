import fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import { FormatError } from '../errors.ts'
import { PUSH_COMMANDS_MAX, PUSH_OPTIONS_MAX } from '../limits.ts'
import { encodePacket, FLUSH } from './pkt-line.ts'
import { encodeReport, ReceiveReader, type RefCommand } from './receive-request.ts'

const ZEROS = '0'.repeat(40)
const A = 'a'.repeat(40)
const text = new TextEncoder()

const oid = fc.option(fc.stringMatching(/^[0-9a-f]{39}[1-9a-f]$/))
const name = fc.stringMatching(/^refs\/[a-zä]{1,8}\/[^\0\n\ud800-\udfff]{1,8}$/)
const commands: fc.Arbitrary<RefCommand[]> = fc.uniqueArray(fc.record({ name, old: oid, next: oid }), {
  selector: (command) => command.name,
  minLength: 1,
  maxLength: 6,
})
const capabilities = fc.uniqueArray(fc.constantFrom('atomic', 'report-status', 'agent=git/2', 'push-options'))

function encode(sent: readonly RefCommand[], able: readonly string[]): Uint8Array {
  const lines = sent.map(
    ({ name: ref, old, next }, index) =>
      `${old ?? ZEROS} ${next ?? ZEROS} ${ref}${index === 0 ? `\0 ${able.join(' ')}` : ''}\n`,
  )
  const options = able.includes('push-options') ? [encodePacket('ci.skip'), FLUSH] : []
  return join([...lines.map(encodePacket), FLUSH, ...options])
}

function join(parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]))
}

function read(bytes: Uint8Array, pieceBytes = bytes.length): { reader: ReceiveReader; isRead: boolean } {
  const reader = new ReceiveReader()
  let isRead = false
  for (let at = 0; at < bytes.length; at += pieceBytes)
    isRead = reader.push(bytes.subarray(at, at + pieceBytes))
  return { reader, isRead }
}

describe('what a push begins with', () => {
  test('is read as it was sent, in pieces of any size, and the pack is left over', () => {
    fc.assert(
      fc.property(commands, capabilities, fc.integer({ min: 1, max: 50 }), (sent, able, pieceBytes) => {
        const head = encode(sent, able)
        const { reader, isRead } = read(join([head, text.encode('PACK…')]), pieceBytes)
        expect(isRead).toBe(true)
        expect(reader.request.commands).toEqual(sent)
        expect(reader.request.commandCount).toBe(sent.length)
        for (const one of able) expect(reader.request.capabilities.has(one)).toBe(true)
        expect(reader.request.hasOptions).toBe(able.includes('push-options'))
        expect(reader.rest()).toEqual(text.encode('PACK…'))
      }),
    )
  })

  test('changed bytes are another push or a FormatError', () => {
    fc.assert(
      fc.property(commands, capabilities, fc.nat(), fc.nat({ max: 255 }), (sent, able, where, byte) => {
        const bytes = encode(sent, able)
        bytes[where % bytes.length] = byte
        try {
          read(bytes)
        } catch (error) {
          expect(error).toBeInstanceOf(FormatError)
        }
      }),
      { numRuns: 300 },
    )
  })

  test('is not over before its flush', () => {
    const bytes = encode([{ name: 'refs/heads/a', old: null, next: A }], [])
    expect(read(bytes.subarray(0, -1)).isRead).toBe(false)
    expect(read(bytes).isRead).toBe(true)
    expect(read(FLUSH).reader.request.commandCount).toBe(0)
  })

  test('may say where a shallow clone ends', () => {
    const bytes = join([
      encodePacket(`shallow ${A}`),
      encode([{ name: 'refs/heads/a', old: null, next: A }], ['atomic']),
    ])
    const { request } = read(bytes).reader
    expect([request.commandCount, request.capabilities.has('atomic')]).toEqual([1, true])
  })

  test.each([
    ['a line that is no command', [encodePacket('hello')]],
    ['an oid in capital letters', [encodePacket(`${ZEROS} ${A.toUpperCase()} refs/heads/a`)]],
    ['a certificate', [encodePacket('push-cert\0')]],
    ['a delimiter', [text.encode('0001')]],
    ['a ref twice', [encodePacket(`${ZEROS} ${A} refs/x`), encodePacket(`${A} ${ZEROS} refs/x`)]],
    [
      'too many options',
      [
        encodePacket(`${ZEROS} ${A} refs/x\0push-options`),
        FLUSH,
        ...Array.from({ length: PUSH_OPTIONS_MAX + 1 }, () => encodePacket('x')),
      ],
    ],
  ])('is refused with %s', (_name, packets) => {
    expect(() => read(join(packets))).toThrow(FormatError)
  })

  test('counts all commands and keeps as many as are allowed', () => {
    const reader = new ReceiveReader()
    for (let n = 0; n < PUSH_COMMANDS_MAX + 5; n += 1)
      reader.push(encodePacket(`${ZEROS} ${A} refs/tags/${n}`))
    expect(reader.push(FLUSH)).toBe(true)
    expect(reader.request.commandCount).toBe(PUSH_COMMANDS_MAX + 5)
    expect(reader.request.commands).toHaveLength(PUSH_COMMANDS_MAX)
  })
})

test('a report has one line for each ref, whatever the reasons and names hold', () => {
  const refs = [
    { name: 'refs/heads/ä', problem: null },
    { name: 'refs/heads/b\udcff', problem: 'first\nsecond\0third' },
  ]
  const bytes = join(encodeReport({ unpackProblem: null, refs }))
  expect(Buffer.from(bytes).toString('latin1')).toBe(
    '000eunpack ok\n0015ok refs/heads/\xc3\xa4\n0028ng refs/heads/b\xff first second third\n0000',
  )
  expect(Buffer.from(join(encodeReport({ unpackProblem: 'early\nEOF', refs: [] }))).toString()).toBe(
    '0015unpack early EOF\n0000',
  )
})

test('a report about the longest name that a command can have', () => {
  const longest = `refs/heads/${'x'.repeat(65_423)}`
  const reader = new ReceiveReader()
  reader.push(join([encodePacket(`${ZEROS} ${A} ${longest}`), FLUSH]))
  expect(reader.request.commands).toEqual([{ name: longest, old: null, next: A }])
  const refs = [{ name: longest, problem: 'no '.repeat(200) }]
  const [, packet] = encodeReport({ unpackProblem: null, refs })
  expect(packet).toHaveLength(65_520)
  expect(Buffer.from(packet!).toString()).toMatch(/^fff0ng refs\/heads\/x+ no no .*\n$/)
})
