import { grantCas } from '../../../../ops/xet/grants.ts'
import { clientOf } from '../../../count-download.ts'
import type { Reply } from '../../../reply.ts'
import type { Call, Route } from '../../../route.ts'
import { casUrl } from '../../../urls.ts'
import { refusePullRequest } from './pull-request.ts'
import { revisionOf } from './refs.ts'

/** Both forms at once: huggingface_hub up to 1.18 reads the headers, everything newer the JSON (xet.md §7). */
async function tokenReply(call: Call, scope: 'read' | 'write'): Promise<Reply> {
  const { ops, principal, repo, rest, query, site } = call
  refusePullRequest(query)
  const { accessToken, exp, domainId } = await grantCas(
    ops,
    principal,
    repo,
    scope,
    revisionOf(rest),
    clientOf(call),
  )
  return {
    headers: {
      'X-Xet-Cas-Url': casUrl(site, domainId),
      'X-Xet-Access-Token': accessToken,
      'X-Xet-Token-Expiration': exp,
      'Cache-Control': 'no-store',
    },
    json: { accessToken, exp, casUrl: casUrl(site, domainId) },
  }
}

export const xetTokenRoutes: readonly Route[] = (['read', 'write'] as const).map((scope) => ({
  method: 'GET',
  path: `{api}/xet-${scope}-token/*`,
  hub: `GET /api/{T}/{id}/xet-${scope}-token/{rev}`,
  handle: (call) => tokenReply(call, scope),
}))
