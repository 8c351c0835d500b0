/** The lines that a person pastes after a start. */
import { expect, test } from 'vitest'

import { formatBanner, type BannerFacts } from './banner.ts'

const facts: BannerFacts = {
  url: 'https://example.org/hub',
  dataDir: '/srv/cairn',
  adminToken: 'hf_secret',
  adminTokenPath: '/srv/cairn/admin-token',
  isTty: false,
  generated: null,
}

test('a terminal shows the token, anything else only where it lies', () => {
  expect(formatBanner({ ...facts, isTty: true })).toContain('  export HF_TOKEN=hf_secret\n')
  expect(formatBanner(facts)).toContain('  export HF_TOKEN="$(cat /srv/cairn/admin-token)"\n')
  expect(formatBanner(facts)).not.toContain('hf_secret')
})

test('the lines survive a shell, whatever the names hold', () => {
  const odd = formatBanner({ ...facts, adminToken: "a'b$c", isTty: true, url: 'http://127.0.0.1:1' })
  expect(odd).toContain(`export HF_TOKEN='a'\\''b$c'\n`)
  expect(formatBanner({ ...facts, adminTokenPath: '/my data/admin-token' })).toContain(
    `"$(cat '/my data/admin-token')"`,
  )
})

test('a token that is not known is not shown as if it were valid', () => {
  const text = formatBanner({ ...facts, adminToken: null })
  expect(text).not.toContain('$(cat')
  expect(text).toContain('cairn admin token create admin --name another --data /srv/cairn')
})

test('tokens that the bootstrap file left to the hub are announced by their file', () => {
  expect(formatBanner({ ...facts, generated: { count: 2, path: '/srv/cairn/bootstrap-tokens' } })).toContain(
    'Tokens that the bootstrap file left to the hub: 2, in /srv/cairn/bootstrap-tokens',
  )
})
