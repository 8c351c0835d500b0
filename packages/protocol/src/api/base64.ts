/**
 * Strict base64 (RFC 4648 §4): padded, no blanks, no bits left over, so that every content has exactly one spelling.
 * Written out because protocol code has neither Buffer nor, on Node 24, `Uint8Array.fromBase64`.
 */
const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'
const PAD = 0x3d
/** Value of each ASCII character; 64 marks those outside the alphabet. */
const VALUES = new Uint8Array(128).fill(64)
for (let value = 0; value < 64; value++) VALUES[ALPHABET.charCodeAt(value)] = value

/** Bytes that a base64 text of this length decodes to, at most. */
export function base64SizeBytes(text: string): number {
  return Math.ceil(text.length / 4) * 3 - (text.endsWith('==') ? 2 : text.endsWith('=') ? 1 : 0)
}

/** Null unless the text is canonical base64. */
export function decodeBase64(text: string): Uint8Array | null {
  if (text.length % 4 !== 0) return null
  const bytes = new Uint8Array(base64SizeBytes(text))
  const padding = (text.length / 4) * 3 - bytes.length
  let out = 0
  for (let at = 0; at < text.length; at += 4) {
    const last = at + 4 === text.length
    const a = valueAt(text, at)
    const b = valueAt(text, at + 1)
    const c = last && padding === 2 ? 0 : valueAt(text, at + 2)
    const d = last && padding > 0 ? 0 : valueAt(text, at + 3)
    if ((a | b | c | d) & 64) return null
    if (last && padding === 2 && (text.charCodeAt(at + 2) !== PAD || b & 15)) return null
    if (last && padding === 1 && c & 3) return null
    bytes[out++] = (a << 2) | (b >> 4)
    // Writes behind the end of a typed array are dropped, which is what padding asks for.
    bytes[out++] = (b << 4) | (c >> 2)
    bytes[out++] = (c << 6) | d
  }
  return bytes
}

function valueAt(text: string, at: number): number {
  const code = text.charCodeAt(at)
  return code < 128 ? (VALUES[code] ?? 64) : 64
}
