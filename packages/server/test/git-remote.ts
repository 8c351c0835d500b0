/** Addresses of a hub's repositories, as git is given them. */
import { TOKENS, type TestHub } from '@cairn/testkit/start-hub'

/** The address of a repository with the account's token as a password. */
export function remote(hub: TestHub, account: keyof typeof TOKENS | null, path: string): string {
  const url = new URL(`${hub.url}/${path}`)
  if (account !== null) {
    url.username = 'anything'
    url.password = TOKENS[account]
  }
  return url.href
}
