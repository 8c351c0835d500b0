/** Contract of `tx`: all or nothing, one after another, and nobody waits for it to read. */
import { setTimeout as sleep } from 'node:timers/promises'

import { expect, test } from 'vitest'

import { UniqueViolationError } from '../catalog.ts'
import type { Catalog, CatalogRows } from '../catalog.ts'
import { user, withTwoOwners } from './fixtures.ts'
import type { MakeCatalog } from './fixtures.ts'

const MAIN = 'refs/heads/main'

/** What a landing does: a ref, its audit row, its event. */
async function land(
  rows: CatalogRows,
  emit: Parameters<Parameters<Catalog['tx']>[0]>[1],
  oid: string,
): Promise<void> {
  await rows.refs.swap('tiny', MAIN, null, oid, 1)
  const details = JSON.stringify({ oid })
  await rows.audit.insert({
    id: oid,
    at: 1,
    actorId: 'ann',
    action: 'ref.update',
    repoId: 'tiny',
    subject: MAIN,
    details,
  })
  emit({ type: 'refs.updated', repoId: 'tiny', refs: [{ name: MAIN, old: null, new: oid }] })
}

async function traces(catalog: Catalog): Promise<[refs: number, audit: number, events: number]> {
  const { refs, audit, outbox } = catalog.rows
  return [(await refs.list('tiny')).length, (await audit.list({ limit: 9 })).length, await outbox.count()]
}

export function transactionsContract(make: MakeCatalog): void {
  test('rows, audit and events commit together, and the result of the work comes back', async () => {
    await using catalog = await withTwoOwners(make)
    const result = await catalog.tx(async (rows, emit) => {
      await land(rows, emit, 'c1')
      return { landed: 'c1' }
    })
    expect(result).toEqual({ landed: 'c1' })
    expect(await traces(catalog)).toEqual([1, 1, 1])
  })

  test('an error leaves nothing behind, and the next transaction goes on', async () => {
    await using catalog = await withTwoOwners(make)
    const refusal = new Error('refused')
    await expect(
      catalog.tx(async (rows, emit) => {
        await land(rows, emit, 'c1')
        throw refusal
      }),
    ).rejects.toBe(refusal)
    expect(await traces(catalog)).toEqual([0, 0, 0])
    await catalog.tx((rows, emit) => land(rows, emit, 'c2'))
    expect(await traces(catalog)).toEqual([1, 1, 1])
  })

  test('after a failed call nothing of the transaction can commit, even if the work shrugs', async () => {
    await using catalog = await withTwoOwners(make)
    const shrug = catalog.tx(async (rows, emit) => {
      await land(rows, emit, 'c1')
      await rows.accounts.insert(user('ann2', 'ANN')).catch(() => {})
      await expect(rows.accounts.get('ann')).rejects.toThrow()
    })
    await expect(shrug).rejects.toBeInstanceOf(UniqueViolationError)
    expect(await traces(catalog)).toEqual([0, 0, 0])
  })

  test('work sees its own rows; readers see them after the commit and never wait', async () => {
    await using catalog = await withTwoOwners(make)
    let commit = () => {}
    const released = new Promise<void>((resolve) => (commit = resolve))
    let opened = () => {}
    const inside = new Promise<void>((resolve) => (opened = resolve))
    const transaction = catalog.tx(async (rows, emit) => {
      await land(rows, emit, 'c1')
      expect((await rows.refs.get('tiny', MAIN))?.oid).toBe('c1')
      opened()
      await released
    })
    await inside
    const before = performance.now()
    expect(await traces(catalog)).toEqual([0, 0, 0])
    expect((await catalog.rows.accounts.getByName('ann'))?.id).toBe('ann')
    expect(performance.now() - before).toBeLessThan(1000)
    commit()
    await transaction
    expect(await traces(catalog)).toEqual([1, 1, 1])
  })

  test('transactions run one at a time in the order they were asked for', async () => {
    await using catalog = await withTwoOwners(make)
    const order: string[] = []
    await Promise.allSettled(
      [5, 0, 3, 0, 1].map((pause, index) =>
        catalog.tx(async (rows) => {
          order.push(`begin ${index}`)
          await sleep(pause)
          await rows.repos.update('tiny', { lastModified: index })
          order.push(`end ${index}`)
          if (index === 2) throw new Error('one of them fails')
        }),
      ),
    )
    expect(order).toEqual([0, 1, 2, 3, 4].flatMap((index) => [`begin ${index}`, `end ${index}`]))
    expect((await catalog.rows.repos.get('tiny'))?.lastModified).toBe(4)
  })

  test('a transaction inside another is refused instead of waiting for itself', async () => {
    await using catalog = await withTwoOwners(make)
    const nested = catalog.tx(async (rows, emit) => {
      await land(rows, emit, 'c1')
      await catalog.tx((inner) => inner.repos.update('tiny', { private: true }))
    })
    await expect(nested).rejects.toThrow(/inside another/)
    expect(await traces(catalog)).toEqual([0, 0, 0])
  })

  test('code that a transaction set off may start one of its own later', async () => {
    await using catalog = await withTwoOwners(make)
    let later: Promise<void> = Promise.resolve()
    await catalog.tx(async () => {
      later = sleep(20).then(() => catalog.tx((rows) => rows.repos.update('tiny', { private: true })))
    })
    await later
    expect((await catalog.rows.repos.get('tiny'))?.private).toBe(true)
  })

  test('rows and emit die with their transaction', async () => {
    await using catalog = await withTwoOwners(make)
    let kept: { rows: CatalogRows; emit: () => void } | undefined
    await catalog.tx(async (rows, emit) => {
      kept = { rows, emit: () => emit({ type: 'repo.created', repoId: 'late' }) }
    })
    await expect(kept!.rows.accounts.insert(user('late'))).rejects.toThrow(/ended/)
    await expect(kept!.rows.accounts.get('ann')).rejects.toThrow(/ended/)
    expect(kept!.emit).toThrow(/ended/)
    await catalog.tx(async () => {
      await expect(kept!.rows.accounts.insert(user('late'))).rejects.toThrow(/ended/)
    })
    expect(await catalog.rows.accounts.get('late')).toBeNull()
    expect(await catalog.rows.outbox.count()).toBe(0)
  })

  test('a call that nobody awaited does not slip past the commit', async () => {
    await using catalog = await withTwoOwners(make)
    let forgotten: Promise<void> = Promise.resolve()
    const hasty = catalog.tx(async (rows) => {
      forgotten = rows.accounts.insert(user('late'))
    })
    await expect(hasty).rejects.toThrow(/ended before/)
    await forgotten.catch(() => {})
    expect(await catalog.rows.accounts.get('late')).toBeNull()
  })

  test('nothing is written outside a transaction', async () => {
    await using catalog = await withTwoOwners(make)
    await expect(catalog.rows.accounts.insert(user('sneaky'))).rejects.toThrow()
    await expect(catalog.rows.outbox.claim('changes', 1, 2, 3)).rejects.toThrow()
    expect(await catalog.rows.accounts.get('sneaky')).toBeNull()
  })

  test('values that a database would quietly turn into something else are refused', async () => {
    await using catalog = await withTwoOwners(make)
    for (const wrong of [new Date(), Number.NaN, { toString: () => 'x' }, () => 1]) {
      const update = catalog.tx((rows) => rows.repos.update('tiny', { lastModified: wrong as number }))
      await expect(update).rejects.toThrow()
    }
    // Where null is allowed, nothing but the catalog stands between NaN and null.
    const changed = catalog.tx((rows) => rows.repos.markDeleted('tiny', Number.NaN))
    await expect(changed).rejects.toThrow()
    await expect(catalog.rows.accounts.getByName(new Date() as unknown as string)).rejects.toThrow()
    await expect(catalog.rows.tokens.getByHash(undefined as unknown as string)).rejects.toThrow()
    expect((await catalog.rows.repos.get('tiny'))?.lastModified).toBe(1)
  })

  test('text with NUL is stored nowhere, and looking for it finds nothing', async () => {
    await using catalog = await withTwoOwners(make)
    const { accounts, refs, repos, blobs } = catalog.rows
    await expect(catalog.tx((rows) => rows.accounts.insert(user('c', 'c\0')))).rejects.toThrow(/NUL/)
    await expect(catalog.tx((rows) => rows.refs.swap('tiny', `${MAIN}\0`, null, 'c1', 1))).rejects.toThrow(
      /NUL/,
    )
    for (let again = 0; again < 3; again += 1) {
      expect(await accounts.getByName('ann\0')).toBeNull()
      expect(await refs.get('tiny', `${MAIN}\0`)).toBeNull()
      expect(await repos.getByName('default', 'model', 'Ann', '\0Tiny')).toBeNull()
      expect(await blobs.contentOf('tiny', ['\0', 'l1'])).toEqual(new Map())
    }
    // A failed look-up would doom the transaction.
    await catalog.tx(async (rows) => {
      expect(await rows.accounts.getByName('ann\0')).toBeNull()
      await rows.accounts.insert(user('cyn'))
    })
    expect(await accounts.getByName('cyn')).not.toBeNull()
  })

  test('closing waits for what was asked for and refuses what comes after', async () => {
    const catalog = await withTwoOwners(make)
    const last = catalog.tx(async (rows) => {
      await sleep(20)
      return rows.refs.swap('tiny', MAIN, null, 'c1', 1)
    })
    await catalog[Symbol.asyncDispose]()
    expect(await last).toBe(true)
    await expect(catalog.tx(async () => {})).rejects.toThrow(/closed/)
    await expect(catalog.rows.accounts.get('ann')).rejects.toThrow()
    await catalog[Symbol.asyncDispose]()
  })
}
