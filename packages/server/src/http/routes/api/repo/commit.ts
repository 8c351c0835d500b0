import { parseCommitLine, type CommitOperation } from '@cairn/protocol/api/commit'
import { HubError } from '@cairn/protocol/errors'
import { assertRepoPath } from '@cairn/protocol/git/paths'
import { COMMIT_BODY_MAX_BYTES, COMMIT_LINE_MAX_BYTES } from '@cairn/protocol/limits'

import { applyCommit } from '../../../../ops/commits.ts'
import { readLines } from '../../../body.ts'
import { firstOf } from '../../../query.ts'
import type { Call, Route } from '../../../route.ts'
import { repoUrl } from '../../../urls.ts'
import { refusePullRequest } from './pull-request.ts'
import { revisionOf } from './refs.ts'

export const commitRoutes: readonly Route[] = [
  {
    method: 'POST',
    path: '{api}/commit/*',
    hub: 'POST /api/{T}/{id}/commit/{rev}',
    quirk: 'a commit that changes nothing answers with the head of the branch',
    async handle({ ops, principal, repo, rest, query, site, body }) {
      refusePullRequest(query)
      if (firstOf(query, 'hot_reload') !== null)
        throw new HubError('NotImplemented', 'Hot reload is not supported: this hub runs no Spaces')
      const commit = await applyCommit(ops, principal, repo, revisionOf(rest), operationsOf(body))
      return {
        json: {
          success: true,
          commitOid: commit.commitOid,
          commitUrl: `${repoUrl(site, commit.repo)}/commit/${commit.commitOid}`,
          hookOutput: '',
        },
      }
    },
  },
]

async function* operationsOf(body: Call['body']): AsyncGenerator<CommitOperation> {
  const limits = { bodyMaxBytes: COMMIT_BODY_MAX_BYTES, lineMaxBytes: COMMIT_LINE_MAX_BYTES }
  for await (const { text, number } of readLines(body, limits))
    yield parseCommitLine(text, number, assertRepoPath)
}
