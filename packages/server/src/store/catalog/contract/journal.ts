/** Contract of the audit and the outbox. */
import { expect, test } from 'vitest'

import type { AuditRow, Catalog, HubEvent } from '../catalog.ts'
import type { MakeCatalog } from './fixtures.ts'

function audit(id: string, at: number, repoId: string | null = null): AuditRow {
  return {
    id,
    at,
    actorId: null,
    action: 'repo.create',
    repoId,
    subject: 'Ann/Tiny 🦉',
    details: '{"private":true}',
  }
}

const created = (repoId: string): HubEvent => ({ type: 'repo.created', repoId })

function emitAll(catalog: Catalog, events: readonly HubEvent[]): Promise<void> {
  return catalog.tx(async (_, emit) => events.forEach((event) => emit(event)))
}

export function journalContract(make: MakeCatalog): void {
  test('the audit is read newest first, page by page, without losing rows of one millisecond', async () => {
    await using catalog = await make()
    const rows = Array.from({ length: 25 }, (_, index) =>
      audit(`a${10 + index}`, 100 + Math.floor(index / 10)),
    )
    await catalog.tx(async ({ audit: log }) => {
      for (const row of rows) await log.insert(row)
    })
    const seen: AuditRow[] = []
    for (let page = await catalog.rows.audit.list({ limit: 4 }); page.length > 0;) {
      seen.push(...page)
      page = await catalog.rows.audit.list({ limit: 4, before: seen.at(-1)! })
    }
    expect(seen).toEqual(rows.toReversed())
  })

  test('the audit of one repository outlives it', async () => {
    await using catalog = await make()
    await catalog.tx(async ({ audit: log }) => {
      await log.insert(audit('a1', 1, 'gone'))
      await log.insert({ ...audit('a2', 2, 'other'), actorId: 'nobody' })
      await log.insert(audit('a3', 3, 'gone'))
    })
    const { audit: log } = catalog.rows
    expect((await log.list({ repoId: 'gone', limit: 10 })).map((row) => row.id)).toEqual(['a3', 'a1'])
    expect(await log.list({ repoId: 'gone', before: { at: 3, id: 'a3' }, limit: 10 })).toEqual([
      audit('a1', 1, 'gone'),
    ])
  })

  test('details that are not JSON are refused', async () => {
    await using catalog = await make()
    const broken = { ...audit('a1', 1), details: '{"private":' }
    await expect(catalog.tx((rows) => rows.audit.insert(broken))).rejects.toThrow(SyntaxError)
    expect(await catalog.rows.audit.list({ limit: 1 })).toEqual([])
  })

  test('events come out as they went in, in their order', async () => {
    await using catalog = await make(() => 1000)
    const events: HubEvent[] = [
      created('r1'),
      {
        type: 'refs.updated',
        repoId: 'r1',
        refs: [
          { name: 'refs/heads/é"\\', old: null, new: 'c1' },
          { name: 'refs/heads/gone', old: 'c0', new: null },
        ],
      },
      { type: 'repo.updated', repoId: 'r1' },
      { type: 'repo.moved', repoId: 'r1' },
      { type: 'repo.deleted', repoId: 'r1' },
      { type: 'repo.restored', repoId: 'r1' },
    ]
    await emitAll(catalog, events)
    expect(await catalog.tx((rows) => rows.outbox.claim('changes', 999, 2000, 10))).toEqual([])
    const claimed = await catalog.tx((rows) => rows.outbox.claim('changes', 1000, 2000, 10))
    expect(claimed.map((row) => row.event)).toEqual(events)
    expect(claimed.every((row) => row.attempts === 1)).toBe(true)
  })

  test('what waits for a proof does not stand in the way of other events', async () => {
    await using catalog = await make(() => 1000)
    const proof: HubEvent = { type: 'xet.file-registered', repoId: 'r1', domainId: 'ann', hash: 'f1' }
    await emitAll(catalog, [proof, proof, created('r1')])
    const claim = (queue: 'changes' | 'proofs') =>
      catalog.tx((rows) => rows.outbox.claim(queue, 1000, 2000, 2))
    expect((await claim('changes')).map((row) => row.event)).toEqual([created('r1')])
    expect((await claim('proofs')).map((row) => row.event)).toEqual([proof, proof])
    expect(await catalog.rows.outbox.count('changes')).toBe(1)
    expect(await catalog.rows.outbox.count('proofs')).toBe(2)
    expect(await catalog.rows.outbox.count()).toBe(3)
  })

  test('a claimed event is nobody else’s until the lease ends, and gone when done', async () => {
    await using catalog = await make(() => 1000)
    await emitAll(catalog, [created('r1'), created('r2'), created('r3')])
    const claim = (now: number, leaseUntil: number, limit = 10) =>
      catalog.tx((rows) => rows.outbox.claim('changes', now, leaseUntil, limit))
    const repoIds = (claimed: Awaited<ReturnType<typeof claim>>) => claimed.map((row) => row.event.repoId)

    const first = await claim(1000, 2000, 2)
    expect(repoIds(first)).toEqual(['r1', 'r2'])
    expect(repoIds(await claim(1000, 3000))).toEqual(['r3'])
    expect(await claim(1999, 5000)).toEqual([])
    await catalog.tx((rows) => rows.outbox.done(first[0]!.id))
    const second = await claim(2000, 5000)
    expect(repoIds(second)).toEqual(['r2'])
    expect(second[0]).toMatchObject({ id: first[1]!.id, attempts: 2 })
    expect(await catalog.rows.outbox.count()).toBe(2)
    await catalog.tx((rows) => rows.outbox.done(second[0]!.id))
    await catalog.tx((rows) => rows.outbox.done(second[0]!.id))
    expect(await catalog.rows.outbox.count()).toBe(1)
  })

  test('a failed event waits for its retry', async () => {
    await using catalog = await make(() => 1000)
    await emitAll(catalog, [created('r1')])
    const claim = (now: number) => catalog.tx((rows) => rows.outbox.claim('changes', now, now + 100, 10))
    const [event] = await claim(1000)
    await catalog.tx((rows) => rows.outbox.fail(event!.id, 5000, 'x'.repeat(1_000_000)))
    expect(await claim(4999)).toEqual([])
    expect(await claim(5000)).toEqual([{ ...event, attempts: 2 }])
  })

  test('workers that claim at once share the events without overlap', async () => {
    await using catalog = await make(() => 1000)
    await emitAll(
      catalog,
      Array.from({ length: 1000 }, (_, index) => created(`r${index}`)),
    )
    const shares = await Promise.all(
      Array.from({ length: 12 }, () => catalog.tx((rows) => rows.outbox.claim('changes', 1000, 2000, 100))),
    )
    const ids = shares.flat().map((row) => row.id)
    expect(shares.filter((share) => share.length === 100)).toHaveLength(10)
    expect(new Set(ids).size).toBe(1000)
  })

  test('an event that this hub cannot read is set aside, counted, and keeps nobody waiting', async () => {
    await using catalog = await make(() => 1000)
    await emitAll(catalog, [{ type: 'from.the-future' } as unknown as HubEvent, created('r1')])
    const claimed = await catalog.tx((rows) => rows.outbox.claim('changes', 1000, 2000, 10))
    expect(claimed.map((row) => row.event)).toEqual([created('r1')])
    await catalog.tx((rows) => rows.outbox.done(claimed[0]!.id))
    expect(await catalog.tx((rows) => rows.outbox.claim('changes', 9_999_999, 99_999_999, 10))).toEqual([])
    expect(await catalog.rows.outbox.count()).toBe(1)
  })
}
