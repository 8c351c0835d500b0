/** The caller's own tokens. Ours: the Hub has pages for them and no API. A string is shown once, when it is made. */
import { HubError } from '@cairn/protocol/errors'
import { z } from 'zod'

import { TOKEN_LIFETIME_MAX_DAYS } from '../../../../limits.ts'
import { tokenNameField, tokenRoleField } from '../../../../ops/account-fields.ts'
import { grantFields } from '../../../../ops/grant-input.ts'
import { createOwnToken, listOwnTokens, revokeOwnToken, rotateOwnToken } from '../../../../ops/own-tokens.ts'
import { readJson } from '../../../body.ts'
import type { Route } from '../../../route.ts'

const DAY_MS = 24 * 3600_000
/** Answers that hold a token's string are nobody else's to keep. */
const SECRET = { 'Cache-Control': 'no-store' }

const NewTokenBody = z.strictObject({
  name: tokenNameField,
  role: tokenRoleField,
  /** null: none. */
  expiresAt: z.iso.datetime({ offset: true }).transform(Date.parse).nullish(),
  ...grantFields,
})

export const tokenSettingsRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: '/api/settings/tokens',
    hub: null,
    handle: async ({ ops, principal }) => ({ json: await listOwnTokens(ops, principal) }),
  },
  {
    method: 'POST',
    path: '/api/settings/tokens',
    hub: null,
    async handle({ ops, principal, registry, body }) {
      const request = await readJson(body, NewTokenBody)
      const expiresAt = request.expiresAt ?? null
      const now = ops.clock()
      if (expiresAt !== null && (expiresAt <= now || expiresAt > now + TOKEN_LIFETIME_MAX_DAYS * DAY_MS))
        throw new HubError(
          'BadRequest',
          `'expiresAt' lies in the past or beyond ${TOKEN_LIFETIME_MAX_DAYS} days`,
        )
      return {
        headers: SECRET,
        json: await createOwnToken(ops, principal, registry, { ...request, expiresAt }),
      }
    },
  },
  {
    method: 'POST',
    path: '/api/settings/tokens/:token/rotate',
    hub: null,
    handle: async ({ ops, principal, params }) => ({
      headers: SECRET,
      json: await rotateOwnToken(ops, principal, params['token'] ?? ''),
    }),
  },
  {
    method: 'DELETE',
    path: '/api/settings/tokens/:token',
    hub: null,
    handle: async ({ ops, principal, params }) => ({
      json: await revokeOwnToken(ops, principal, params['token'] ?? ''),
    }),
  },
]
