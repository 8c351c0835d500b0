/**
 * Token strings: how one looks, how it is made, and the hash that is stored in its place. A generated string has
 * about 200 bits, so a plain sha256 is enough; one that an operator chose is as good as the operator made it.
 */
import { hash } from 'node:crypto'

import { TOKEN_LENGTH_MAX, TOKEN_LENGTH_MIN } from '../limits.ts'

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789'
/** clients.md §0.18: llama.cpp drops tokens with fewer. */
const RANDOM_CHARACTERS = 34
/** Bytes from here on would make some characters likelier than others. */
const UNBIASED_BELOW = 256 - (256 % ALPHABET.length)
/** Each draw yields 34 × 248/256 characters on average; four draws always did, a broken source never does. */
const DRAWS_MAX = 64

/** `hf_` and 34 letters and digits, each equally likely. */
export function newTokenString(random: (sizeBytes: number) => Uint8Array): string {
  let text = ''
  for (let draw = 0; draw < DRAWS_MAX; draw++)
    for (const byte of random(RANDOM_CHARACTERS)) {
      if (byte < UNBIASED_BELOW) text += ALPHABET[byte % ALPHABET.length]
      if (text.length === RANDOM_CHARACTERS) return `hf_${text}`
    }
  throw new Error('The source of randomness yields nothing usable')
}

/** Hex sha256, the form in which the catalog knows a token. */
export function hashToken(token: string): string {
  return hash('sha256', token)
}

/** Says why an operator may not choose this token string, or null. Never repeats the string. */
export function tokenProblem(token: string): string | null {
  if (token.length < TOKEN_LENGTH_MIN || token.length > TOKEN_LENGTH_MAX)
    return `a token has ${TOKEN_LENGTH_MIN} to ${TOKEN_LENGTH_MAX} characters`
  if (!/^[\x21-\x7e]*$/.test(token)) return 'a token consists of printable ASCII characters without spaces'
  // hub-api.md §2.2: clients refuse to log in with such a token.
  if (token.startsWith('api_org')) return "a token does not start with 'api_org', clients refuse those"
  return null
}
