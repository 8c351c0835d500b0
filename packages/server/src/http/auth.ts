/** Takes the token out of a request. Which account it belongs to is ops/authenticate.ts's to say. */

/**
 * Bearer, or Basic with the token as password under any user name, or as the user name alone (git remotes of the form
 * `https://TOKEN@host`). hub-api.md §2.2. Null when the request carries none.
 */
export function credentialOf(authorization: string | undefined): string | null {
  if (authorization === undefined) return null
  const [scheme = '', value = ''] = authorization.trim().split(/\s+/, 2)
  if (/^bearer$/i.test(scheme)) return value
  if (!/^basic$/i.test(scheme)) return ''
  const pair = Buffer.from(value, 'base64').toString()
  const colon = pair.indexOf(':')
  const [user, password] = colon === -1 ? [pair, ''] : [pair.slice(0, colon), pair.slice(colon + 1)]
  return password === '' || password === 'x-oauth-basic' ? user : password
}

/** What a CAS route is called with: the token, and the domain that its address names. */
export function casCredential(call: {
  headers: { authorization?: string | undefined }
  params: Record<string, string>
}): { token: string | null; domainId: string } {
  return { token: credentialOf(call.headers.authorization), domainId: call.params['domain'] ?? '' }
}
