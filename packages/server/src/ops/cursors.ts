/** Opaque, signed positions in a listing. A forged or foreign one is refused instead of guessed at. */
import { HubError } from '@cairn/protocol/errors'

import type { Signer } from './signer.ts'

/** `listing` names what is paged (route, repository, commit), so that a cursor fits only there. */
export function sealCursor(signer: Signer, listing: string, position: string | number): string {
  return signer.seal('cursor', { l: listing, p: position })
}

export function openCursor(signer: Signer, listing: string, cursor: string | null): string | number | null {
  if (cursor === null) return null
  const value = signer.unseal('cursor', cursor) as { l?: unknown; p?: unknown } | null
  if (value === null || value.l !== listing || (typeof value.p !== 'string' && typeof value.p !== 'number'))
    throw new HubError('BadRequest', 'This cursor does not belong to this listing')
  return value.p
}
