/** All aggregates on one connection. */
import type { Kysely } from 'kysely'

import type { CatalogRows } from '../catalog.ts'
import type { Schema } from '../schema.ts'
import type { SearchSql } from '../search.ts'
import { accountRows } from './accounts.ts'
import { auditRows } from './audit.ts'
import { blobRows } from './blobs.ts'
import { collectionRows } from './collection.ts'
import { damageRows } from './damage.ts'
import { downloadRows } from './downloads.ts'
import { indexRows } from './index-rows.ts'
import { inventoryRows } from './inventory.ts'
import { lfsMigrationRows } from './lfs-migrations.ts'
import { likeRows } from './likes.ts'
import { listingRows } from './listing.ts'
import { lfsLockRows } from './locks.ts'
import { oldNameRows } from './old-names.ts'
import { outboxRows } from './outbox.ts'
import { ownedRepoRows } from './owned-repos.ts'
import { quotaRows } from './quotas.ts'
import { refRows } from './refs.ts'
import { registryRows } from './registries.ts'
import { repoRows } from './repos.ts'
import { retainedCommitRows } from './retained.ts'
import { statsRows } from './stats.ts'
import { tokenRows } from './tokens.ts'
import { xetRows } from './xet.ts'

/** Build it once per connection: its compiled queries live as long as it does. */
export function catalogRows(db: Kysely<Schema>, search: SearchSql): CatalogRows {
  return {
    accounts: accountRows(db),
    registries: registryRows(db),
    tokens: tokenRows(db),
    repos: repoRows(db),
    oldNames: oldNameRows(db),
    likes: likeRows(db),
    locks: lfsLockRows(db),
    lfsMigrations: lfsMigrationRows(db),
    refs: refRows(db),
    index: indexRows(db),
    listing: listingRows(db, search),
    retained: retainedCommitRows(db),
    blobs: blobRows(db),
    xet: xetRows(db),
    collection: collectionRows(db),
    audit: auditRows(db),
    owned: ownedRepoRows(db),
    downloads: downloadRows(db),
    outbox: outboxRows(db),
    quotas: quotaRows(db),
    stats: statsRows(db),
    inventory: inventoryRows(db),
    damage: damageRows(db),
  }
}
