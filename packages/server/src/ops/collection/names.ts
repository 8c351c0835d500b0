/** A blob's key in the store, and its name in the catalog. */
import type { BlobKey } from '../../store/blobs/blob-store.ts'
import type { DoomedBlob } from '../../store/catalog/catalog.ts'
import { lfsKey, parseKey, shardKey, xorbKey } from '../../store/keys.ts'

type Named = Pick<DoomedBlob, 'kind' | 'domainId' | 'name'>

export function keyOf({ kind, domainId, name }: Named): BlobKey {
  if (kind === 'lfs') return lfsKey(domainId, name)
  if (kind === 'xorbs') return xorbKey(domainId, name)
  const [repoId = '', id = ''] = name.split('/')
  return shardKey({ domainId, repoId, id })
}

export function nameOf(key: BlobKey): Named {
  const parts = parseKey(key)
  if (parts === null) throw new TypeError(`Not a blob key: ${key}`)
  const { kind, domainId, name } = parts
  return { kind, domainId, name: parts.kind === 'shards' ? `${parts.repoId}/${name}` : name }
}
