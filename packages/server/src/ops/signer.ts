/**
 * Signatures over short strings: upload and download addresses, CAS tokens, cursors. Every purpose has a key of its
 * own, derived from the data directory's secret, so that a value signed for one is worthless for another.
 */
import { createHmac, hkdfSync, timingSafeEqual } from 'node:crypto'

export type SigningPurpose = 'lfs-url' | 'xorb-url' | 'cas-token' | 'cursor' | 'download-client'

const SIGNATURE_BYTES = 24

export class Signer {
  readonly #secret: Uint8Array
  readonly #keys = new Map<SigningPurpose, Buffer>()

  constructor(secret: Uint8Array) {
    this.#secret = secret
  }

  /** base64url, 32 characters. */
  sign(purpose: SigningPurpose, text: string): string {
    return this.#mac(purpose, text).toString('base64url')
  }

  verify(purpose: SigningPurpose, text: string, signature: string): boolean {
    const given = Buffer.from(signature, 'base64url')
    // One spelling only: the decoder passes over what it does not know.
    if (given.length !== SIGNATURE_BYTES || given.toString('base64url') !== signature) return false
    return timingSafeEqual(given, this.#mac(purpose, text))
  }

  /** A signed, readable token: base64url JSON, a dot, the signature. */
  seal(purpose: SigningPurpose, value: object): string {
    const payload = Buffer.from(JSON.stringify(value)).toString('base64url')
    return `${payload}.${this.sign(purpose, payload)}`
  }

  /** What `seal` was given, or null when the token is not one of ours. */
  unseal(purpose: SigningPurpose, token: string): unknown {
    const dot = token.lastIndexOf('.')
    if (dot < 1 || !this.verify(purpose, token.slice(0, dot), token.slice(dot + 1))) return null
    return JSON.parse(Buffer.from(token.slice(0, dot), 'base64url').toString())
  }

  #mac(purpose: SigningPurpose, text: string): Buffer {
    let key = this.#keys.get(purpose)
    if (key === undefined) {
      key = Buffer.from(hkdfSync('sha256', this.#secret, 'cairn', purpose, 32))
      this.#keys.set(purpose, key)
    }
    return createHmac('sha256', key).update(text).digest().subarray(0, SIGNATURE_BYTES)
  }
}
