/** All places of some kind are taken, and as many as may wait do so already. */
import { HubError } from '@cairn/protocol/errors'

import { GIT_RETRY_S } from '../limits.ts'

export function busy(): HubError {
  return new HubError('Unavailable', 'Too many git processes at once: try again in a moment', {
    headers: { 'Retry-After': String(GIT_RETRY_S) },
  })
}
