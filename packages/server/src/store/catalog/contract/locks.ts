/** Contract of the locks of git-lfs. */
import { expect, test } from 'vitest'

import { user, withTwoOwners } from './fixtures.ts'
import type { MakeCatalog } from './fixtures.ts'

const lock = (id: string, path: string, ownerId = 'ann', repoId = 'tiny') => ({
  id,
  repoId,
  path,
  ownerId,
  lockedAt: 7,
})

export function locksContract(make: MakeCatalog): void {
  test('a path has one lock, and another repository or another case is another path', async () => {
    await using catalog = await withTwoOwners(make)
    const insert = (row: ReturnType<typeof lock>) => catalog.tx((rows) => rows.locks.insert(row))
    expect(await insert(lock('1', 'a.bin'))).toBe(true)
    expect(await insert(lock('2', 'a.bin', 'bob'))).toBe(false)
    expect(await insert(lock('3', 'A.bin', 'bob'))).toBe(true)
    expect(await insert(lock('4', 'a.bin', 'bob', 'huge'))).toBe(true)

    const { locks } = catalog.rows
    expect(await locks.getByPath('tiny', 'a.bin')).toEqual({ ...lock('1', 'a.bin'), ownerName: 'Ann' })
    expect(await locks.get('huge', '1')).toBeNull()
    expect(await locks.count('tiny')).toBe(2)
    expect((await locks.list('tiny', null, 1)).map(({ id }) => id)).toEqual(['1'])
    expect((await locks.list('tiny', '1', 9)).map(({ id }) => id)).toEqual(['3'])
    expect(await catalog.tx((rows) => rows.locks.delete('huge', '1'))).toBe(false)
    expect(await catalog.tx((rows) => rows.locks.delete('tiny', '1'))).toBe(true)
    expect(await catalog.tx((rows) => rows.locks.delete('tiny', '1'))).toBe(false)
    expect(await insert(lock('5', 'a.bin', 'bob'))).toBe(true)
  })

  test('locks go with their owner and with their repository', async () => {
    await using catalog = await withTwoOwners(make)
    await catalog.tx(async (rows) => {
      await rows.accounts.insert(user('eve'))
      await rows.locks.insert(lock('1', 'a.bin', 'eve'))
      await rows.locks.insert(lock('2', 'b.bin', 'eve', 'huge'))
      await rows.locks.insert(lock('3', 'c.bin', 'bob', 'huge'))
      await rows.accounts.delete('eve')
    })
    expect(await catalog.rows.locks.list('tiny', null, 9)).toEqual([])
    expect(await catalog.rows.locks.count('huge')).toBe(1)
    await catalog.tx((rows) => rows.repos.purge('huge'))
    expect(await catalog.rows.locks.count('huge')).toBe(0)
  })
}
