/** Contract of quotas, of what counts towards them, and of the sums that operators see. */
import { expect, test } from 'vitest'

import { repo, withTwoOwners, xetFile, xorb, type MakeCatalog } from './fixtures.ts'

export function quotasContract(make: MakeCatalog): void {
  test('a quota is bytes, none at all, or not chosen; it goes with its account or repository', async () => {
    await using catalog = await withTwoOwners(make)
    const { quotas } = catalog.rows
    expect(await quotas.get('account', 'ann')).toBeUndefined()
    await catalog.tx(async (rows) => {
      await rows.quotas.set('account', 'ann', 5_000_000_000)
      await rows.quotas.set('repo', 'tiny', null)
      await rows.quotas.set('repo', 'tiny', null)
    })
    expect(await quotas.get('account', 'ann')).toBe(5_000_000_000)
    expect(await quotas.get('repo', 'tiny')).toBeNull()
    expect(await quotas.list('account')).toEqual(new Map([['ann', 5_000_000_000]]))
    await catalog.tx(async (rows) => {
      await rows.quotas.set('account', 'ann', undefined)
      await rows.repos.purge('tiny')
    })
    expect(await quotas.get('account', 'ann')).toBeUndefined()
    expect(await quotas.list('repo')).toEqual(new Map())
  })

  test('what counts is each file of each living repository, and the git objects that were measured', async () => {
    await using catalog = await withTwoOwners(make)
    await catalog.tx(async ({ repos, blobs, xet, quotas }) => {
      await repos.insert(repo('m2', 'ann'))
      await repos.insert(repo('gone', 'ann'))
      await blobs.insertLfs({ domainId: 'ann', oid: 'a', sizeBytes: 5_000_000_000, createdAt: 1 })
      for (const id of ['tiny', 'm2', 'gone']) await blobs.linkLfs(id, 'a', 1)
      await xet.insertFile('tiny', xetFile('f1', 'ann', { sizeBytes: 7 }), [])
      await quotas.setGitBytes('tiny', 10)
      await quotas.setGitBytes('tiny', 30)
      await repos.markDeleted('gone', 9)
    })
    const { quotas } = catalog.rows
    expect(await quotas.usage('account', 'ann')).toEqual({ files: 10_000_000_007, git: 30 })
    expect(await quotas.usage('repo', 'tiny')).toEqual({ files: 5_000_000_007, git: 30 })
    expect(await quotas.usage('account', 'bob')).toEqual({ files: 0, git: 0 })
    expect(await quotas.unmeasured({ subject: 'account', id: 'ann' })).toEqual(['m2'])
    expect(await quotas.gitBytesTotal()).toBe(30)
    await catalog.tx((rows) => rows.quotas.forgetGitBytes('tiny'))
    expect((await quotas.unmeasured(null)).toSorted()).toEqual(['huge', 'm2', 'tiny'])
  })

  test('operators see counts, sums and what has failed', async () => {
    await using catalog = await withTwoOwners(() => make(() => 100))
    await catalog.tx(async ({ repos, blobs, xet }, emit) => {
      await repos.insert(repo('d1', 'ann', { type: 'dataset' }))
      await repos.insert(repo('gone', 'ann'))
      await repos.markDeleted('gone', 9)
      await blobs.insertLfs({ domainId: 'ann', oid: 'a', sizeBytes: 50, createdAt: 1 })
      for (const id of ['tiny', 'd1', 'gone']) await blobs.linkLfs(id, 'a', 1)
      await xet.insertXorb(xorb('x1', 'ann', { rawBytes: 3_000_000_000, storedBytes: 2_000_000_000 }))
      await xet.insertFile('tiny', xetFile('f1', 'ann', { sizeBytes: 8 }), ['x1'])
      for (const repoId of ['tiny', 'huge', 'd1']) emit({ type: 'repo.updated', repoId })
    })
    const { stats } = catalog.rows
    const [first, second] = await catalog.tx((rows) => rows.outbox.claim('changes', 100, 200, 2))
    await catalog.tx(async ({ outbox }) => {
      await outbox.fail(first!.id, 300, 'the first reason')
      await outbox.fail(second!.id, Number.MAX_SAFE_INTEGER, 'for ever')
    })
    const counts = await stats.counts()
    expect(counts.repos).toEqual([
      { type: 'dataset', count: 1 },
      { type: 'model', count: 2 },
    ])
    expect(counts.accounts).toEqual([{ kind: 'user', count: 2 }])
    expect(counts.outbox).toMatchObject({ failing: 1, givenUp: 1 })
    expect(await stats.deletedRepos()).toBe(1)
    expect(await stats.storage()).toEqual({
      linked: { lfsBytes: 100, xetBytes: 8 },
      lfs: { count: 1, bytes: 50 },
      xetFiles: { count: 1, bytes: 8 },
      xorbs: { count: 1, rawBytes: 3_000_000_000, storedBytes: 2_000_000_000 },
    })
    expect(await stats.failedEvents(9)).toEqual([
      { type: 'repo.updated', attempts: 1, retryAt: null, reason: 'for ever' },
      { type: 'repo.updated', attempts: 1, retryAt: 300, reason: 'the first reason' },
    ])
    expect(await stats.failedEvents(1)).toHaveLength(1)
  })
}
