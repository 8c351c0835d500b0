/**
 * Strict base64 (RFC 4648 §4): padded, no blanks, no bits left over, so that every content has exactly one spelling.
 * Written out because protocol code has neither Buffer nor, on Node 24, `Uint8Array.fromBase64`.
 */
const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'
const PAD = 0x3d
/** Value of each byte; 64 marks those outside the alphabet. */
const VALUES = new Uint8Array(256).fill(64)
for (let value = 0; value < 64; value++) VALUES[ALPHABET.charCodeAt(value)] = value
const encoder = new TextEncoder()

/** Bytes that a base64 text of this length decodes to, at most. */
export function base64SizeBytes(text: string): number {
  return Math.ceil(text.length / 4) * 3 - (text.endsWith('==') ? 2 : text.endsWith('=') ? 1 : 0)
}

/** Null unless the text is canonical base64. */
export function decodeBase64(text: string): Uint8Array | null {
  if (text.length % 4 !== 0) return null
  // Over bytes the loop takes a fifth of what it takes over a string. Another length means a character of several bytes.
  const codes = encoder.encode(text)
  if (codes.length !== text.length) return null
  const bytes = new Uint8Array(base64SizeBytes(text))
  const padding = (text.length / 4) * 3 - bytes.length
  const wholeEnd = padding === 0 ? text.length : text.length - 4
  let out = 0
  let outside = 0
  for (let at = 0; at < wholeEnd; at += 4) {
    const a = VALUES[codes[at]!]!
    const b = VALUES[codes[at + 1]!]!
    const c = VALUES[codes[at + 2]!]!
    const d = VALUES[codes[at + 3]!]!
    outside |= a | b | c | d
    bytes[out] = (a << 2) | (b >> 4)
    bytes[out + 1] = (b << 4) | (c >> 2)
    bytes[out + 2] = (c << 6) | d
    out += 3
  }
  if (outside & 64) return null
  return padding === 0 || decodeLast(codes.subarray(wholeEnd), padding, bytes, out) ? bytes : null
}

/** The last four characters when they are padded; false unless no bits are left over. */
function decodeLast(codes: Uint8Array, padding: number, bytes: Uint8Array, out: number): boolean {
  const [a = 64, b = 64, c = 64] = Array.from(codes, (code) => VALUES[code]!)
  if ((a | b) & 64) return false
  bytes[out] = (a << 2) | (b >> 4)
  if (padding === 2) return codes[2] === PAD && (b & 15) === 0
  bytes[out + 1] = (b << 4) | (c >> 2)
  return (c & 64) === 0 && (c & 3) === 0
}
