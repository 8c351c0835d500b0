/** Contract of the counted downloads. */
import { expect, test } from 'vitest'

import { withTwoOwners, type MakeCatalog } from './fixtures.ts'

export function downloadsContract(make: MakeCatalog): void {
  test('counts of a day add up, and the last days are told from all time', async () => {
    await using catalog = await withTwoOwners(make)
    await catalog.tx((rows) =>
      rows.downloads.add([
        { repoId: 'tiny', day: 10, count: 5 },
        { repoId: 'tiny', day: 20, count: 1 },
        { repoId: 'huge', day: 20, count: 9_000_000_000 },
      ]),
    )
    await catalog.tx((rows) => rows.downloads.add([{ repoId: 'tiny', day: 20, count: 2 }]))
    const { downloads } = catalog.rows
    expect(await downloads.summary(['tiny', 'huge', 'none'], 20)).toEqual(
      new Map([
        ['tiny', { recent: 3, allTime: 8 }],
        ['huge', { recent: 9_000_000_000, allTime: 9_000_000_000 }],
        ['none', { recent: 0, allTime: 0 }],
      ]),
    )
    expect(await downloads.history('tiny', 10, 20)).toEqual([
      { day: 10, count: 5 },
      { day: 20, count: 3 },
    ])
    expect(await downloads.history('tiny', 11, 19)).toEqual([])
  })

  test('a repository that is gone spoils no batch, and takes its counts with it', async () => {
    await using catalog = await withTwoOwners(make)
    await catalog.tx((rows) =>
      rows.downloads.add([
        { repoId: 'never was', day: 1, count: 1 },
        { repoId: 'tiny', day: 1, count: 1 },
      ]),
    )
    expect(await catalog.rows.downloads.history('never was', 0, 9)).toEqual([])
    expect(await catalog.rows.downloads.history('tiny', 0, 9)).toEqual([{ day: 1, count: 1 }])
    await catalog.tx((rows) => rows.repos.purge('tiny'))
    expect(await catalog.rows.downloads.history('tiny', 0, 9)).toEqual([])
  })
}
