/** What a violated unique index means to a person, by its table: no table has two that a person can run into. */
import type { UniqueName } from './catalog.ts'

const UNIQUE_MEANING: ReadonlyMap<string, UniqueName> = new Map([
  ['accounts', 'account name'],
  ['repos', 'repo name'],
  ['registries', 'registry'],
  ['tokens', 'token'],
])

export function uniqueMeaning(table: string | undefined): UniqueName | null {
  return UNIQUE_MEANING.get(table ?? '') ?? null
}
