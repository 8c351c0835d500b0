export type GitObjectType = 'blob' | 'tree' | 'commit' | 'tag'

/** An object ready to be stored: `bytes` is the body without git's `type size\0` header. */
export interface NewObject {
  oid: string
  type: GitObjectType
  bytes: Uint8Array
}
