/** Rows to begin a story with. Ids are readable: the catalog takes what it is given. */
import type { AccountRow, Catalog, LinkedXetFile, RepoRow, TokenRow, XorbRow } from '../catalog.ts'

export type MakeCatalog = (clock?: () => number) => Promise<Catalog>

export function user(id: string, name: string = id, more: Partial<AccountRow> = {}): AccountRow {
  return { id, kind: 'user', name, fullname: null, email: null, isAdmin: false, createdAt: 1, ...more }
}

export function org(id: string, name: string = id): AccountRow {
  return user(id, name, { kind: 'org' })
}

export function token(id: string, accountId: string, more: Partial<TokenRow> = {}): TokenRow {
  return {
    id,
    kind: 'access_token',
    accountId,
    name: `token ${id}`,
    hash: `hash of ${id}`,
    role: 'write',
    grants: null,
    createdAt: 1,
    expiresAt: null,
    lastUsedAt: null,
    ...more,
  }
}

export function repo(id: string, ownerId: string, more: Partial<RepoRow> = {}): RepoRow {
  return {
    id,
    registryId: 'default',
    ownerId,
    domainId: ownerId,
    type: 'model',
    namespace: ownerId,
    name: id,
    private: false,
    disabled: false,
    defaultRef: 'refs/heads/main',
    sdk: null,
    lfsMultipartAboveBytes: null,
    createdBy: ownerId,
    createdAt: 1,
    lastModified: 1,
    refsDirty: false,
    deletedAt: null,
    ...more,
  }
}

export function xorb(hash: string, domainId: string, more: Partial<XorbRow> = {}): XorbRow {
  return {
    domainId,
    hash,
    chunkCount: 1,
    rawBytes: 100,
    storedBytes: 60,
    chunks: Uint8Array.from({ length: 40 }, (_, index) => 255 - index),
    storedAt: 1,
    touchedAt: 1,
    ...more,
  }
}

export function xetFile(hash: string, domainId: string, more: Partial<LinkedXetFile> = {}): LinkedXetFile {
  return {
    domainId,
    hash,
    sizeBytes: 100,
    termCount: 1,
    terms: Uint8Array.from({ length: 48 }, (_, index) => index),
    sha256: null,
    claimedSha256: null,
    createdAt: 1,
    ...more,
  }
}

/** Two people, each with a repository: domains `ann` and `bob`. */
export async function withTwoOwners(make: MakeCatalog): Promise<Catalog> {
  const catalog = await make()
  await catalog.tx(async (rows) => {
    await rows.accounts.insert(user('ann', 'Ann'))
    await rows.accounts.insert(user('bob', 'Bob'))
    await rows.repos.insert(repo('tiny', 'ann', { namespace: 'Ann', name: 'Tiny' }))
    await rows.repos.insert(repo('huge', 'bob', { namespace: 'Bob', name: 'Huge' }))
  })
  return catalog
}
