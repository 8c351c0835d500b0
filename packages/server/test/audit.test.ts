/** The audit, as an administrator reads it. */
import { startHub, type TestHub } from '@cairn/testkit/start-hub'
import { afterAll, beforeAll, expect, test } from 'vitest'

import { commit, createRepo, file, getJson } from './client.ts'
import { expectRefusal, post } from './refusal.ts'

interface Row {
  id: string
  at: string
  actor: string | null
  action: string
  subject: string
}

let now = Date.UTC(2026, 0, 1)
let hub: TestHub
beforeAll(async () => {
  hub = await startHub({ clock: () => (now += 1000) })
  await createRepo(hub, 'alice', 'acme/tiny')
  await commit(hub, 'alice', 'acme/tiny', [file('a', 'a')])
  await createRepo(hub, 'bob', 'bob/own')
  expect((await hub.fetch('bob', '/api/repos/delete', post({ name: 'own' }, 'DELETE'))).status).toBe(200)
})
afterAll(() => hub[Symbol.asyncDispose]())

const audit = (args: object) =>
  getJson<Row[]>(hub, 'root', '/api/admin', post({ resource: 'audit', verb: 'list', args }))
const actions = async (args: object) => (await audit(args)).map((row) => row.action)

test('it is narrowed by repository, actor, action and time', async () => {
  expect(await actions({ repo: 'acme/tiny' })).toEqual(['ref.commit', 'ref.initial', 'repo.create'])
  expect(await actions({ actor: 'bob' })).toEqual(['repo.delete', 'ref.initial', 'repo.create'])
  expect(await actions({ action: 'repo.' })).toEqual(['repo.delete', 'repo.create', 'repo.create'])
  const [last] = await audit({ limit: 1 })
  expect(await actions({ since: last?.at })).toEqual(['repo.delete'])
  expect(await actions({ since: '2027-01-01' })).toEqual([])
  expect(await audit({ repo: 'bob/own', action: 'repo.delete' })).toMatchObject([{ actor: 'bob' }])
})

test('pages follow one another to the beginning', async () => {
  const whole = await audit({ limit: 1000 })
  const seen: Row[] = []
  for (
    let page = await audit({ limit: 4 });
    page.length > 0;
    page = await audit({ limit: 4, before: seen.at(-1)?.id })
  )
    seen.push(...page)
  expect(seen).toEqual(whole)
  // The bootstrap file is one transaction, whose rows have one time.
  expect(seen).toContainEqual(
    expect.objectContaining({ actor: null, action: 'user.create', subject: 'alice' }),
  )
})

test('it is for administrators', async () => {
  const request = post({ resource: 'audit', verb: 'list', args: {} })
  await expectRefusal(await hub.fetch('alice', '/api/admin', request), 'Forbidden')
  await expectRefusal(
    await hub.fetch('root', '/api/admin', post({ resource: 'audit', verb: 'delete', args: {} })),
    'BadRequest',
  )
  const wrong = post({ resource: 'audit', verb: 'list', args: { limit: -1 } })
  await expectRefusal(await hub.fetch('root', '/api/admin', wrong), 'BadRequest')
})
