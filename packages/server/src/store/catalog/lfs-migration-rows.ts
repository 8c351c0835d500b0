/** LFS objects on their way to becoming Xet files, as rows. */

export interface LfsMigrationRow {
  domainId: string
  oid: string
  sizeBytes: number
  /** Attempts that failed. */
  attempts: number
  /** Since when repositories have a Xet file instead, and which; null: they have the object itself. */
  replacedAt: number | null
  xetHash: string | null
}

export type LfsObjectName = Pick<LfsMigrationRow, 'domainId' | 'oid'>

export interface LfsMigrationRows {
  /** An object has come. One that was replaced and came again begins anew; else the first row stays. */
  insert(object: LfsObjectName, receivedAt: number): Promise<void>
  get(object: LfsObjectName): Promise<LfsMigrationRow | null>
  /** Of the objects that came until `receivedUntil` and are not put off, the first that came. */
  nextToReplace(receivedUntil: number, now: number): Promise<LfsMigrationRow | null>
  /** Of those that were replaced until `replacedUntil` and are not put off, the first. */
  nextToRemove(replacedUntil: number, now: number): Promise<LfsMigrationRow | null>
  /** By domain and oid, strictly after `after`: of one repository, whatever it has by now, or (null) of all. */
  list(repoId: string | null, after: LfsObjectName | null, limit: number): Promise<LfsMigrationRow[]>
  count(repoId: string | null): Promise<number>
  /** Ids of the repositories that have the object itself. */
  repoIds(object: LfsObjectName): Promise<string[]>
  /** The Xet file of the domain that has this sha256, as the hub itself has computed; of several the one with the fewest terms. */
  provenFile(object: LfsObjectName): Promise<string | null>
  /** Recipe of the Xet file that an object was replaced by; null when it is gone. */
  recipe(object: LfsObjectName): Promise<{ domainId: string; terms: Uint8Array } | null>
  /** Gives every repository that has the object the Xet file in its place. */
  replace(object: LfsObjectName, xetHash: string, at: number): Promise<void>
  /** After a failed attempt. */
  postpone(object: LfsObjectName, until: number): Promise<void>
  /** Takes the object's rows away unless a repository has it; true when they are gone. */
  remove(object: LfsObjectName): Promise<boolean>
}
