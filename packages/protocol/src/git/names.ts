/**
 * Names in trees are bytes, usually UTF-8 but not always. Here they are strings that keep every byte: what is
 * not UTF-8 becomes a lone surrogate U+DC80…U+DCFF per byte (as Python's surrogateescape does), so that a
 * folder with such a name can be rewritten without changing it. `assertRepoPath` refuses to write new ones.
 */
const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
const encoder = new TextEncoder()

const ESCAPE_BASE = 0xdc00

export function decodeName(bytes: Uint8Array): string {
  try {
    return strict.decode(bytes)
  } catch {
    // Not UTF-8 as a whole: keep the characters that are, escape the other bytes one by one.
    let name = ''
    for (let at = 0; at < bytes.length;) {
      const width = sequenceLength(bytes, at)
      name +=
        width === 0
          ? String.fromCharCode(ESCAPE_BASE + bytes[at]!)
          : strict.decode(bytes.subarray(at, at + width))
      at += Math.max(width, 1)
    }
    return name
  }
}

export function encodeName(name: string): Uint8Array {
  if (name.isWellFormed()) return encoder.encode(name)
  const bytes: number[] = []
  for (const character of name) {
    const code = character.codePointAt(0)!
    if (code >= ESCAPE_BASE + 0x80 && code <= ESCAPE_BASE + 0xff) bytes.push(code - ESCAPE_BASE)
    else bytes.push(...encoder.encode(character))
  }
  return Uint8Array.from(bytes)
}

/** Length of the valid UTF-8 sequence at `at`, 0 when there is none. */
function sequenceLength(bytes: Uint8Array, at: number): number {
  const lead = bytes[at]!
  if (lead < 0x80) return 1
  const width = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2
  try {
    strict.decode(bytes.subarray(at, at + width))
    return at + width <= bytes.length ? width : 0
  } catch {
    return 0
  }
}
