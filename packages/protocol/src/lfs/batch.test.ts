import { describe, expect, test } from 'vitest'

import { HubError } from '../errors.ts'
import { parseBatch } from './batch.ts'

const OID = 'a'.repeat(64)
const codeOf = (body: unknown): string => {
  try {
    parseBatch(body)
  } catch (error) {
    if (error instanceof HubError) return error.code
    throw error
  }
  return 'none'
}

describe('an LFS batch', () => {
  test('as huggingface_hub 2.4.0 sends it', () => {
    const body = {
      operation: 'upload',
      transfers: ['basic', 'multipart', 'xet'],
      objects: [{ oid: OID, size: 0 }],
      hash_algo: 'sha256',
      ref: { name: 'main' },
    }
    expect(parseBatch(body)).toEqual({
      operation: 'upload',
      transfers: ['basic', 'multipart', 'xet'],
      objects: [{ oid: OID, sizeBytes: 0 }],
      ref: 'main',
    })
  })

  test('as @huggingface/hub 2.17.5 and a bare git-lfs send it', () => {
    expect(codeOf({ operation: 'upload', hash_algo: 'sha_256', objects: [] })).toBe('none')
    const parsed = parseBatch({
      operation: 'download',
      objects: [
        { oid: OID, size: 3 },
        { oid: OID, size: 3 },
      ],
    })
    expect(parsed).toMatchObject({ transfers: ['basic'], ref: null })
    expect(parsed.objects).toHaveLength(2)
  })

  test('answers a bad object in its place and leaves the others alone', () => {
    const given = [
      { oid: OID, size: -1 },
      { oid: OID, size: 1.5 },
      { oid: '../../etc', size: 1 },
      { oid: OID.toUpperCase(), size: 1 },
      { oid: OID, size: 2 ** 53 },
      { oid: OID, size: 6 * 2 ** 40 },
      { oid: OID, size: 1 },
    ]
    const { objects } = parseBatch({ operation: 'upload', objects: given })
    expect(objects.map((object) => object.error?.code)).toEqual([422, 422, 422, 422, 422, 422, undefined])
    // Clients need a whole number even beside an error.
    expect(objects.every((object) => Number.isSafeInteger(object.sizeBytes))).toBe(true)
  })

  test.each([
    ['no object', null, 'Invalid'],
    ['an unknown operation', { operation: 'delete', objects: [] }, 'Invalid'],
    ['an oid that is no text', { operation: 'upload', objects: [{ oid: 1, size: 1 }] }, 'Invalid'],
    ['too many transfers', { operation: 'upload', objects: [], transfers: Array(17).fill('x') }, 'Invalid'],
    ['another hash', { operation: 'upload', objects: [], hash_algo: 'sha512' }, 'Conflict'],
    [
      'too many objects',
      { operation: 'upload', objects: Array(1001).fill({ oid: OID, size: 1 }) },
      'TooLarge',
    ],
  ])('%s refuses the request', (_, body, code) => {
    expect(codeOf(body)).toBe(code)
  })
})
