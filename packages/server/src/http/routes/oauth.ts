/** Device login (huggingface_hub ≥ 1.21 tries it first) is not there yet; the client shows this text. */
import type { Route } from '../route.ts'

export const oauthRoutes: readonly Route[] = [
  {
    method: 'POST',
    path: '/oauth/device',
    hub: null,
    quirk: '400 that names `hf auth login --token`',
    handle: async () => ({
      status: 400,
      json: {
        error: 'unsupported_grant_type',
        error_description: 'This hub has no device login. Log in with a token: hf auth login --token <token>',
      },
    }),
  },
]
