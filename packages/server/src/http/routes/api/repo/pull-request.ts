import { readBoolean } from '@cairn/protocol/api/query'
import { HubError } from '@cairn/protocol/errors'

import type { Query } from '../../../query.ts'

/** `?create_pr=1` would otherwise land on the branch itself. */
export function refusePullRequest(query: Query): void {
  if (readBoolean(query, 'create_pr'))
    throw new HubError(
      'NotImplemented',
      'Pull requests are not supported by this hub yet: commit to a branch instead',
    )
}
