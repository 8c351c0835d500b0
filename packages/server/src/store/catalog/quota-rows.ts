/** How many bytes somebody may have, and how many they have. */

export type QuotaSubject = 'account' | 'repo'

export interface UsageBytes {
  /** Contents that its living repositories have, LFS and Xet, each for itself. */
  files: number
  /** Git objects, of those repositories that were measured. */
  git: number
}

export interface QuotaRows {
  /** Undefined: nothing was chosen, the hub's default holds. Null: none at all. */
  get(subject: QuotaSubject, id: string): Promise<number | null | undefined>
  list(subject: QuotaSubject): Promise<Map<string, number | null>>
  set(subject: QuotaSubject, id: string, bytes: number | null | undefined): Promise<void>
  usage(subject: QuotaSubject, id: string): Promise<UsageBytes>
  /** Ids of living repositories, of one subject or all, whose git objects were not measured since they changed. */
  unmeasured(of: { subject: QuotaSubject; id: string } | null): Promise<string[]>
  setGitBytes(repoId: string, bytes: number): Promise<void>
  /** The repository has changed. */
  forgetGitBytes(repoId: string): Promise<void>
  /** Of all that were measured. */
  gitBytesTotal(): Promise<number>
}
