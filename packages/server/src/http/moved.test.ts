/** Where an old name leads, under every kind of public address. */
import { expect, test } from 'vitest'

import { movedLocation } from './moved.ts'

const to = { namespace: 'acme', name: 'new' }

test.each([
  [
    'http://hub.test',
    '/api/:t/:namespace/:name/*',
    '/api/models/alice/old/tree/main?a=1&b=%2F',
    '/api/models/acme/new/tree/main?a=1&b=%2F',
  ],
  [
    'http://hub.test',
    '/:namespace/:name/info/refs',
    '/alice/old.git/info/refs?service=git-upload-pack',
    '/acme/new.git/info/refs?service=git-upload-pack',
  ],
  [
    'http://hub.test',
    '/datasets/:namespace/:name/resolve/*',
    '/datasets/alice/old/resolve/main/a%2Fb?x',
    '/datasets/acme/new/resolve/main/a%2Fb?x',
  ],
  [
    'http://hub.test/org/reg/huggingface',
    '/:namespace/:name/raw/*',
    '/alice/old/raw/main/a?b?c',
    '/org/reg/huggingface/acme/new/raw/main/a?b?c',
  ],
  [
    'https://example.org/hub/org/reg/huggingface',
    '/api/datasets/:namespace/:name',
    '/api/datasets/alice/old',
    '/hub/org/reg/huggingface/api/datasets/acme/new',
  ],
])('%s %s', (base, pattern, url, location) => {
  expect(movedLocation({ base }, url, pattern, to)).toBe(location)
})
