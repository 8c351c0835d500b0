/** Pictures of accounts, drawn from their names. */
import { anyAccount } from '../../../ops/profiles.ts'
import { identicon } from '../../identicon.ts'
import type { Route } from '../../route.ts'

const AVATAR_AGE_S = 24 * 3600

export const avatarRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: '/api/avatars/:name',
    hub: 'GET /api/avatars/{ns}',
    quirk: 'an SVG drawn from the name: pictures cannot be uploaded',
    async handle({ ops, params }) {
      const account = await anyAccount(ops, params['name'] ?? '')
      return {
        headers: {
          'Content-Type': 'image/svg+xml',
          'Content-Security-Policy': "default-src 'none'; sandbox",
          'Cache-Control': `public, max-age=${AVATAR_AGE_S}`,
        },
        bytes: Buffer.from(identicon(account.name)),
      }
    },
  },
]
