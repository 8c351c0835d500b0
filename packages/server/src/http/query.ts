/** The query of an address as a bag of values that protocol/api/query.ts reads. */
import type { Parameters } from '@cairn/protocol/api/query'
import { HubError } from '@cairn/protocol/errors'

export type Query = Parameters

/** Decimal digits and nothing else, or NaN. */
export function readDigits(text: string | null): number {
  return text !== null && /^\d{1,16}$/.test(text) ? Number(text) : NaN
}

export function parseQuery(text: string): Query {
  const query: Record<string, string | string[]> = Object.create(null) as Record<string, string | string[]>
  if (text === '') return query
  for (const [name, value] of new URLSearchParams(text)) {
    const known = query[name]
    if (Array.isArray(known)) known.push(value)
    else query[name] = known === undefined ? value : [known, value]
  }
  return query
}

/** The value of a parameter that is given once, or null. */
export function firstOf(query: Query, name: string): string | null {
  const value = Array.isArray(query[name]) ? query[name][0] : query[name]
  return typeof value === 'string' ? value : null
}

/** `limit`: a positive whole number. A page may still be smaller. */
export function readLimit(query: Query): number | null {
  const text = firstOf(query, 'limit')
  if (text === null) return null
  if (!/^\d{1,15}$/.test(text) || Number(text) < 1)
    throw new HubError('BadRequest', `'limit' must be a positive whole number`)
  return Number(text)
}
