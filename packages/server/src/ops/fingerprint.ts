/**
 * The cheapest check of a whole content that Node has: GMAC, the tag of AES-GCM over bytes that are authenticated and
 * not encrypted, for which processors have an instruction. It tells accidents apart, not attackers, so its key is no
 * secret.
 */
import { createCipheriv } from 'node:crypto'

export interface Fingerprint {
  update(bytes: Uint8Array): void
  /** Once, at the end. The same for the same bytes, whatever pieces they came in. */
  digest(): string
}

export function createFingerprint(): Fingerprint {
  const cipher = createCipheriv('aes-128-gcm', KEY, NONCE)
  return {
    update: (bytes) => void cipher.setAAD(bytes),
    digest() {
      cipher.final()
      return cipher.getAuthTag().toString('hex')
    },
  }
}

const KEY = Buffer.alloc(16)
const NONCE = Buffer.alloc(12)
