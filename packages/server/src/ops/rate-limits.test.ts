import { expect, test } from 'vitest'

import { RATE_LIMITED_CLIENTS_MAX } from '../limits.ts'
import { parseRateLimits, rateLimitsAsked, WindowCounter } from './rate-limits.ts'

test('a window begins with the first request, counts down, refuses, and ends', () => {
  let now = 10_000
  const counter = new WindowCounter(60, () => now)
  expect(counter.take('a', 2)).toEqual({ quota: 2, remaining: 1, resetS: 60, granted: true })
  now += 20_500
  expect(counter.take('a', 2)).toEqual({ quota: 2, remaining: 0, resetS: 40, granted: true })
  expect(counter.take('a', 2)).toEqual({ quota: 2, remaining: 0, resetS: 40, granted: false })
  expect(counter.take('b', 2)).toMatchObject({ remaining: 1, resetS: 60 })
  now += 39_499
  expect(counter.take('a', 2)).toMatchObject({ resetS: 1, granted: false })
  now += 1
  expect(counter.take('a', 2)).toEqual({ quota: 2, remaining: 1, resetS: 60, granted: true })
})

test('looking takes nothing', () => {
  const counter = new WindowCounter(60, () => 0)
  expect(counter.look('a', 1)).toEqual({ quota: 1, remaining: 1, resetS: 60, granted: true })
  counter.take('a', 1)
  expect(counter.look('a', 1)).toEqual({ quota: 1, remaining: 0, resetS: 60, granted: false })
})

test('of too many clients the longest unseen is forgotten, and no other', () => {
  const counter = new WindowCounter(60, () => 0)
  counter.take('first', 1)
  counter.take('second', 1)
  counter.take('first', 1)
  for (let index = 2; index <= RATE_LIMITED_CLIENTS_MAX; index += 1) counter.take(`${index}`, 1)
  expect(counter.look('first', 1).granted).toBe(false)
  expect(counter.look('second', 1).granted).toBe(true)
})

test('the words and the numbers of an operator', () => {
  expect(parseRateLimits('off')).toEqual({ windowS: 300, failures: null, quotas: null })
  expect(parseRateLimits('auth')).toEqual({ windowS: 300, failures: 100, quotas: null })
  const hub = {
    account: { api: 1000, resolvers: 5000, pages: 200 },
    anonymous: { api: 500, resolvers: 3000, pages: 100 },
  }
  expect(parseRateLimits('on')).toEqual({ windowS: 300, failures: 100, quotas: hub })
  expect(parseRateLimits('api=7, anonymous-pages=3,window=60,failures=5')).toEqual({
    windowS: 60,
    failures: 5,
    quotas: { account: { ...hub.account, api: 7 }, anonymous: { ...hub.anonymous, pages: 3 } },
  })
})

test.each(['', 'yes', 'api', 'api=', 'api=-1', 'api=1.5', 'api=1=2', 'window=86401', 'api=1,,pages=2'])(
  'the words %j are refused',
  (text) => expect(() => parseRateLimits(text)).toThrow(/is no rate limit/),
)

test('a bootstrap file turns all limits off, or requests on', () => {
  const chosen = parseRateLimits('api=7')
  expect(rateLimitsAsked(undefined, chosen)).toBe(chosen)
  expect(rateLimitsAsked(true, chosen)).toBe(chosen)
  expect(rateLimitsAsked(true, parseRateLimits('auth'))).toEqual(parseRateLimits('on'))
  expect(rateLimitsAsked(false, chosen)).toEqual(parseRateLimits('off'))
})
