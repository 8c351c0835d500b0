/** How an account signs commits and tags. */
import type { Identity } from '@cairn/protocol/git/commits'

/** Mail addresses stay private: whoever reads a public repository would read them in each commit. */
const MAIL_DOMAIN = 'users.noreply.cairn'

export function signatureOf(author: { name: string }, at: number): Identity {
  return {
    name: author.name,
    email: `${author.name}@${MAIL_DOMAIN}`,
    seconds: Math.floor(at / 1000),
    timezone: '+0000',
  }
}
