/** Downloads by day. Ours: the Hub shows such a curve on its pages only. */
import { HubError } from '@cairn/protocol/errors'

import { DOWNLOAD_HISTORY_MAX_DAYS, DOWNLOAD_RECENT_DAYS } from '../../../../limits.ts'
import { downloadHistory } from '../../../../ops/downloads.ts'
import { firstOf } from '../../../query.ts'
import type { Route } from '../../../route.ts'

export const downloadRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: '{api}/downloads',
    hub: null,
    async handle({ ops, principal, repo, query }) {
      const text = firstOf(query, 'days') ?? String(DOWNLOAD_RECENT_DAYS)
      const days = /^\d{1,4}$/.test(text) ? Number(text) : 0
      if (days < 1 || days > DOWNLOAD_HISTORY_MAX_DAYS)
        throw new HubError('BadRequest', `'days' is a whole number from 1 to ${DOWNLOAD_HISTORY_MAX_DAYS}`)
      const { summary, daily } = await downloadHistory(ops, principal, repo, days)
      return { json: { downloads: summary.recent, downloadsAllTime: summary.allTime, daily } }
    },
  },
]
