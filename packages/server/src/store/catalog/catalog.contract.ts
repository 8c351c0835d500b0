/** What every catalog must do, whatever database is behind it. An implementation's test calls this once. */
import { describe } from 'vitest'

import { contentContract } from './contract/content.ts'
import type { MakeCatalog } from './contract/fixtures.ts'
import { identitiesContract } from './contract/identities.ts'
import { journalContract } from './contract/journal.ts'
import { listingContract } from './contract/listing.ts'
import { reposContract } from './contract/repos.ts'
import { transactionsContract } from './contract/transactions.ts'
import { xetContract } from './contract/xet.ts'

/** `make` opens a new empty catalog; the contract disposes of it. */
export function catalogContract(name: string, make: MakeCatalog): void {
  describe(`catalog: ${name}`, () => {
    describe('accounts, registries and tokens', () => identitiesContract(make))
    describe('repositories and refs', () => reposContract(make))
    describe('LFS objects', () => contentContract(make))
    describe('Xet', () => xetContract(make))
    describe('audit and outbox', () => journalContract(make))
    describe('lists and searches', () => listingContract(make))
    describe('transactions', () => transactionsContract(make))
  })
}
