import { expect, test } from 'vitest'

import { mistakesPrefix } from './old-clients.ts'

const prefixed = { prefix: '/acme/lab/huggingface' }
const agent = (version: string): string => `unknown/None; hf_hub/${version}; python/3.11.2; torch/2.1.0`

test.each(['0.19.4', '0.28.1', '0.36.2', '1.0.0.rc1', '1.1.7'])(
  '%s mistakes a prefix, where there is one',
  (version) => {
    expect(mistakesPrefix(prefixed, agent(version))).toBe(true)
    expect(mistakesPrefix({ prefix: '' }, agent(version))).toBe(false)
  },
)

test.each([agent('1.2.0'), agent('1.19.0'), agent('2.4.0'), 'hf_hub/x.y', 'curl/8.0', ''])(
  '%s does not',
  (userAgent) => {
    expect(mistakesPrefix(prefixed, userAgent)).toBe(false)
  },
)
