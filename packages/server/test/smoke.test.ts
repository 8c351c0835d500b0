import { startHub } from '@cairn/testkit/start-hub'
import { expect, test } from 'vitest'

test('a fresh hub knows who asks', async () => {
  await using hub = await startHub()
  const answer = await hub.fetch('alice', '/api/whoami-v2')
  expect(await answer.json()).toMatchObject({
    type: 'user',
    name: 'alice',
    orgs: [{ name: 'acme', roleInOrg: 'admin' }],
  })
  expect((await hub.fetch(null, '/api/whoami-v2')).status).toBe(401)
})
