/** Who may do what. */
import { HubError } from '@cairn/protocol/errors'

import type { TokenRole } from '../store/catalog/catalog.ts'

/** Who asks. `operator` is the hub's own administrator on this machine, without an account. */
export type Principal =
  | { kind: 'anonymous' }
  | { kind: 'operator' }
  | {
      kind: 'user'
      accountId: string
      name: string
      isAdmin: boolean
      tokenId: string
      tokenRole: TokenRole
      grants: string | null
    }

export function assertInstanceAdmin(principal: Principal): void {
  if (principal.kind === 'operator') return
  if (principal.kind === 'anonymous') throw new HubError('Unauthenticated')
  if (!principal.isAdmin || principal.tokenRole !== 'write')
    throw new HubError('Forbidden', 'This needs a write token of an administrator of this hub')
}
