/** What every catalog must do, whatever database is behind it. An implementation's test calls this once. */
import { describe } from 'vitest'

import { collectionContract } from './contract/collection.ts'
import { contentContract } from './contract/content.ts'
import { downloadsContract } from './contract/downloads.ts'
import type { MakeCatalog } from './contract/fixtures.ts'
import { identitiesContract } from './contract/identities.ts'
import { journalContract } from './contract/journal.ts'
import { lfsMigrationsContract } from './contract/lfs-migrations.ts'
import { lifecycleContract } from './contract/lifecycle.ts'
import { listingContract } from './contract/listing.ts'
import { locksContract } from './contract/locks.ts'
import { ownedReposContract } from './contract/owned-repos.ts'
import { quotasContract } from './contract/quotas.ts'
import { reposContract } from './contract/repos.ts'
import { transactionsContract } from './contract/transactions.ts'
import { xetContract } from './contract/xet.ts'

/** `make` opens a new empty catalog; the contract disposes of it. */
export function catalogContract(name: string, make: MakeCatalog): void {
  describe(`catalog: ${name}`, () => {
    describe('accounts, registries and tokens', () => identitiesContract(make))
    describe('repositories and refs', () => reposContract(make))
    describe('old names, deleted repositories and likes', () => lifecycleContract(make))
    describe('LFS objects', () => contentContract(make))
    describe('LFS objects that become Xet files', () => lfsMigrationsContract(make))
    describe('locks', () => locksContract(make))
    describe('Xet', () => xetContract(make))
    describe('collection', () => collectionContract(make))
    describe('audit and outbox', () => journalContract(make))
    describe('what an account owns', () => ownedReposContract(make))
    describe('quotas and sums', () => quotasContract(make))
    describe('downloads', () => downloadsContract(make))
    describe('lists and searches', () => listingContract(make))
    describe('transactions', () => transactionsContract(make))
  })
}
