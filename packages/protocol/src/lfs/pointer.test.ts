import { execFileSync, spawnSync } from 'node:child_process'

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import { formatPointer, parsePointer } from './pointer.ts'

const OID = '4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393'
const VERSION = 'version https://git-lfs.github.com/spec/v1'
const bytes = (text: string) => new TextEncoder().encode(text)
const pointer = fc.record({
  oid: fc.stringMatching(/^[0-9a-f]{64}$/),
  sizeBytes: fc.oneof(fc.maxSafeNat(), fc.constantFrom(0, Number.MAX_SAFE_INTEGER)),
})

/** Text and whether git-lfs takes it for a pointer; the last test asks it. */
const CASES: [text: string, accepted: boolean][] = [
  [`${VERSION}\noid sha256:${OID}\nsize 12\n`, true],
  [`${VERSION}\noid sha256:${OID}\nsize 12`, true],
  [`${VERSION}\r\noid sha256:${OID}\r\nsize 12\r\n`, true],
  [`\n ${VERSION}\n\noid sha256:${OID}\nsize 12 \n\n`, true],
  [`${VERSION}\noid sha256:${OID}\nsize +12\n`, true],
  [`${VERSION}\noid sha256:${OID}\nsize -1\n`, false],
  [`${VERSION}\noid sha256:${OID}\nsize 1e3\n`, false],
  [`${VERSION}\noid sha256:${OID}\nsize 99999999999999999999\n`, false],
  [`${VERSION}\noid sha256:${OID}\nsize 12\nextra 1\n`, false],
  [`${VERSION}\nnope 1\noid sha256:${OID}\nsize 12\n`, false],
  [`${VERSION}\nsize 12\noid sha256:${OID}\n`, false],
  [`oid sha256:${OID}\n${VERSION}\nsize 12\n`, false],
  [`${VERSION}\noid sha256:${OID.toUpperCase()}\nsize 12\n`, false],
  [`${VERSION}\noid sha1:${OID}\nsize 12\n`, false],
  [`${VERSION}\noid sha256:${OID}0\nsize 12\n`, false],
  [`version https://hawser.github.com/spec/v1\noid sha256:${OID}\nsize 12\n`, true],
  [`version http://git-media.io/v/2\noid sha256:${OID}\nsize 12\n`, true],
  [`version https://git-lfs.github.com/spec/v2\noid sha256:${OID}\nsize 12\n`, false],
  [`${VERSION}\next-0-foo sha256:${OID}\noid sha256:${OID}\nsize 12\n`, true],
  [`${VERSION}\noid sha256:${OID}\next-0-foo sha256:${OID}\nsize 12\n`, true],
  [`${VERSION}\next-0-a sha256:${OID}\next-0-b sha256:${OID}\noid sha256:${OID}\nsize 12\n`, false],
  [`${VERSION}\next-12-foo sha256:${OID}\noid sha256:${OID}\nsize 12\n`, false],
  [`\uFEFF${VERSION}\noid sha256:${OID}\nsize 12\n`, false],
  ['# A model card\n', false],
]

describe('parsePointer', () => {
  test.each(CASES)('%j', (text, accepted) => {
    expect(parsePointer(bytes(text))).toEqual(accepted ? { oid: OID, sizeBytes: 12 } : null)
  })

  test('is null for nothing, for other bytes and for what is too long to be a pointer', () => {
    expect(parsePointer(new Uint8Array())).toBeNull()
    expect(parsePointer(Uint8Array.of(0xff, 0xfe, 0x00))).toBeNull()
    const canonical = `${VERSION}\noid sha256:${OID}\nsize 12\n`
    expect(parsePointer(bytes(canonical.padEnd(1023, '\n')))).not.toBeNull()
    expect(parsePointer(bytes(canonical.padEnd(1024, '\n')))).toBeNull()
  })

  test('has no size that a number cannot hold', () => {
    expect(parsePointer(bytes(`${VERSION}\noid sha256:${OID}\nsize 9007199254740992\n`))).toBeNull()
  })

  test(
    'accepts what git-lfs accepts',
    { skip: spawnSync('git', ['lfs', 'version']).status !== 0, timeout: 20_000 },
    () => {
      for (const [text, accepted] of CASES) {
        const { status } = spawnSync('git', ['lfs', 'pointer', '--check', '--stdin', '--no-strict'], {
          input: text,
        })
        expect([text, status === 0]).toEqual([text, accepted])
      }
      const input = formatPointer({ oid: OID, sizeBytes: 12 })
      execFileSync('git', ['lfs', 'pointer', '--check', '--stdin', '--strict'], { input })
    },
  )
})

describe('formatPointer', () => {
  test('is undone by parsePointer', () => {
    fc.assert(
      fc.property(pointer, (one) => {
        expect(parsePointer(formatPointer(one))).toEqual(one)
      }),
    )
  })

  test('any mutated pointer is another whole pointer or none', () => {
    fc.assert(
      fc.property(pointer, fc.nat(), fc.nat(255), (one, at, value) => {
        const mutated = formatPointer(one)
        mutated[at % mutated.length] = value
        const parsed = parsePointer(mutated)
        if (parsed !== null) expect(parsePointer(formatPointer(parsed))).toEqual(parsed)
      }),
    )
  })

  test('refuses what would not be a pointer', () => {
    expect(() => formatPointer({ oid: OID.toUpperCase(), sizeBytes: 1 })).toThrow(TypeError)
    for (const sizeBytes of [-1, 0.5, 2 ** 53, Number.NaN])
      expect(() => formatPointer({ oid: OID, sizeBytes })).toThrow(TypeError)
  })
})
