import { chmodSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { encodeCommit } from '@cairn/protocol/git/commits'
import { EMPTY_TREE_OID, type NewObject, newObject } from '@cairn/protocol/git/objects'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'

import { nativePrimitives as primitives } from '../primitives.ts'
import { GitObjectNotFoundError } from './git-store.ts'
import {
  blob,
  closeScratch,
  commit,
  git,
  nextRepository,
  openScratch,
  repo,
  store,
  who,
} from './scratch.fixture.ts'

beforeAll(openScratch)
afterAll(closeScratch)
beforeEach(nextRepository)

describe('reading', () => {
  test('a hundred at once, in any mixture of there, missing and too large', async () => {
    const blobs = Array.from({ length: 50 }, (_, n) => blob(`${n}\n`.repeat(n * 40)))
    const large = blob('l'.repeat(2_000_000))
    await store.write(repo, [...blobs, large])
    const outcomes = await Promise.all(
      blobs.flatMap((object, n) => [
        store.read(repo, object.oid).then(({ bytes }) => Buffer.from(bytes).equals(object.bytes)),
        n % 10 === 3
          ? store.read(repo, large.oid, 1000).catch((error: unknown) => error instanceof RangeError)
          : store
              .read(repo, String(n).padStart(40, '0'))
              .catch((error: unknown) => error instanceof GitObjectNotFoundError),
        store
          .stat(repo, object.oid)
          .then((stat) => stat?.sizeBytes === object.bytes.length && stat.type === 'blob'),
      ]),
    )
    expect(outcomes.every((outcome) => outcome === true)).toBe(true)
    expect((await store.read(repo, large.oid)).bytes).toHaveLength(2_000_000)
    await expect(store.read(repo, 'main')).rejects.toThrow(GitObjectNotFoundError)
    await expect(store.read(repo, `${large.oid}\ninfo x`)).rejects.toThrow(GitObjectNotFoundError)
  })

  test('a pack that appears while the reader runs is found', async () => {
    const early = blob('early')
    await store.write(repo, [early])
    await store.read(repo, early.oid)
    const late = Array.from({ length: 20 }, (_, n) => blob(`late ${n}`))
    await expect(store.read(repo, late[7]!.oid)).rejects.toThrow(GitObjectNotFoundError)
    await store.write(repo, late)
    expect(Buffer.from((await store.read(repo, late[7]!.oid)).bytes).toString()).toBe('late 7')
    // And a repack that takes everything away from where it was.
    const oid = await commit([], {
      early: 'early',
      ...Object.fromEntries(late.map((_, n) => [`${n}`, `late ${n}`])),
    })
    await store.projectRefs(repo, [{ name: 'refs/heads/main', oid }])
    git('repack', '-adq')
    git('prune-packed')
    expect(Buffer.from((await store.read(repo, late[8]!.oid)).bytes).toString()).toBe('late 8')
  })

  test('reads go on over the death of the helper', async () => {
    const blobs = Array.from({ length: 200 }, (_, n) => blob(`${n}`.repeat(200_000)))
    await store.write(repo, blobs)
    await store.read(repo, blobs[0]!.oid)
    const reads = blobs.map(async ({ oid }) => store.read(repo, oid))
    process.kill(store.helper.pid!, 'SIGKILL')
    const results = await Promise.all(reads)
    expect(results.every(({ bytes }, n) => Buffer.from(bytes).equals(blobs[n]!.bytes))).toBe(true)
  })

  test('a damaged object is an error, and the next read works', async () => {
    const [bad, good] = [blob('b'.repeat(5000)), blob('good')]
    await store.write(repo, [bad, good])
    const path = join(store.gitDir(repo), 'objects', bad.oid.slice(0, 2), bad.oid.slice(2))
    const bytes = readFileSync(path)
    bytes[bytes.length - 8]! ^= 0xff
    chmodSync(path, 0o644)
    writeFileSync(path, bytes)
    await expect(store.read(repo, bad.oid)).rejects.toThrow(/cat-file/)
    expect((await store.read(repo, good.oid)).type).toBe('blob')
  })

  test('a short oid expands to the one commit that has it', async () => {
    const oid = await commit([], { a: 'a' })
    expect(await store.expand(repo, oid.slice(0, 4))).toBe(oid)
    expect(await store.expand(repo, oid)).toBe(oid)
    expect(await store.expand(repo, git('rev-parse', `${oid}^{tree}`).trim())).toBeNull()
    for (const nothing of ['', 'abc', 'ABCDEF', '--all', 'ffff', 'f'.repeat(40)])
      expect(await store.expand(repo, nothing)).toBeNull()

    // Enough commits that two of them share four digits (the birthday of 65,536).
    const author = { ...who, seconds: 1 }
    const many = Array.from({ length: 1500 }, (_, n) =>
      newObject(
        primitives,
        'commit',
        encodeCommit({ treeOid: EMPTY_TREE_OID, parents: [], author, committer: author, message: `${n}` }),
      ),
    )
    await store.write(repo, [newObject(primitives, 'tree', new Uint8Array()), ...many])
    const byPrefix = Map.groupBy(many, (object) => object.oid.slice(0, 4))
    const shared = [...byPrefix].find(([, objects]) => objects.length === 2)!
    expect(await store.expand(repo, shared[0])).toBeNull()
    const [one, other] = shared[1] as [NewObject, NewObject]
    let length = 5
    while (one.oid.slice(0, length) === other.oid.slice(0, length)) length += 1
    expect(await store.expand(repo, one.oid.slice(0, length))).toBe(one.oid)
  })
})
