/** Which requests for content are downloads. docs/api-design.md «Downloads». */
import { clientKey } from '../ops/downloads.ts'
import type { Call } from './route.ts'

/** A GET of everything or of a beginning. One byte is a probe for the size (clients.md §0.5), a later range the same download going on. */
const BEGINNING = /^\s*bytes=0-(?!0\s*$)/

/** `client` is given where the credential is a CAS token, which knows for whom it was made. */
export function countDownload(call: Call, repoId: string, client: string = clientOf(call)): void {
  const { method, headers, ops } = call
  if (method === 'GET' && (headers.range === undefined || BEGINNING.test(headers.range)))
    ops.downloads.note(repoId, client)
}

export function clientOf({ ops, principal, client }: Call): string {
  return clientKey(ops.signer, principal, client)
}
