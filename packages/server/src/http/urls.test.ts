import { expect, test } from 'vitest'

import { repoUrl, routePath, siteOf, trustedPeers } from './urls.ts'

const address = {
  host: 'hub.example:8080',
  encrypted: false,
  forwarded: null,
}

test('an address is built from what the client asked for, or from what a proxy says', () => {
  const proxied = { ...address, forwarded: { proto: 'https', host: 'models.example', prefix: '/hub' } }
  expect(siteOf(null, address, '').base).toBe('http://hub.example:8080')
  expect(siteOf(null, proxied, '').base).toBe('https://models.example/hub')
  expect(siteOf('https://fixed.example', proxied, '/acme/llm/huggingface').base).toBe(
    'https://fixed.example/acme/llm/huggingface',
  )
})

test.each(['', 'evil.example/path', 'a b', 'x\r\ny', '[::1', 'user@host'])(
  'the host %j is refused',
  (host) => {
    expect(() => siteOf(null, { ...address, host }, '')).toThrow(
      expect.objectContaining({ code: 'BadRequest' }),
    )
  },
)

test.each([
  ['//api/whoami-v2', '/api/whoami-v2', null],
  ['/models/acme/tiny/resolve/main/a', '/acme/tiny/resolve/main/a', null],
  ['/models?search=x', '/models?search=x', null],
  ['/acme/llm/huggingface/api/models/x/y', '/api/models/x/y', { org: 'acme', slug: 'llm' }],
  ['/acme/llm/huggingface', '/', { org: 'acme', slug: 'llm' }],
  ['/datasets/acme/huggingface/resolve/main/a', '/datasets/acme/huggingface/resolve/main/a', null],
  ['/acme/llm/huggingface/models/x/y/resolve/main/a', '/x/y/resolve/main/a', { org: 'acme', slug: 'llm' }],
])('%s is routed as %s', (raw, url, registry) => {
  expect(routePath(raw)).toEqual({ url, registry })
})

test.each([
  ['/hub/api/whoami-v2', '/api/whoami-v2'],
  ['//hub//api/whoami-v2', '/api/whoami-v2'],
  ['/hub?x', '/?x'],
  ['/hub', '/'],
  ['/hub/acme/llm/huggingface/api/models', '/api/models'],
  ['/hubs/tiny/resolve/main/a', '/hubs/tiny/resolve/main/a'],
  ['/api/whoami-v2', '/api/whoami-v2'],
])('below a public address with the path /hub, %s is routed as %s', (raw, url) => {
  expect(routePath(raw, '/hub').url).toBe(url)
})

test('under any prefix the address of a model says that it is one', () => {
  const repo = { type: 'model', namespace: 'acme', name: 'tiny' } as const
  const under = (base: string) => repoUrl({ base }, repo)
  expect(under('https://hub.example')).toBe('https://hub.example/acme/tiny')
  expect(under('https://hub.example/hub')).toBe('https://hub.example/hub/models/acme/tiny')
  expect(repoUrl({ base: 'https://hub.example/hub' }, { ...repo, type: 'dataset' })).toBe(
    'https://hub.example/hub/datasets/acme/tiny',
  )
})

test('proxies are known by address or network of either family', () => {
  const trusts = trustedPeers(['10.0.0.0/8', '192.0.2.7', 'fd00::/8'])
  expect(['10.9.8.7', '192.0.2.7', 'fd12::1', '::ffff:10.1.1.1'].map(trusts)).toEqual([
    true,
    true,
    true,
    true,
  ])
  expect(['11.0.0.1', '192.0.2.8', 'fe80::1', undefined].map(trusts)).toEqual([false, false, false, false])
})
