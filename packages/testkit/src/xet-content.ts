/**
 * Content that vectors describe by a recipe instead of carrying it, the same in every language. All recipes draw
 * 32-bit words from xorshift32: x ^= x << 13, x ^= x >>> 17, x ^= x << 5; the word is x after the three steps.
 */
export interface ContentRecipe {
  /**
   * `random`: the words, little-endian. `floats`: each word with its exponent bits (30…23) replaced by
   * 120 + (word >>> 23) mod 8, little-endian. `csv`: lines `<n>,<word mod 100000>,item-<word mod 1000>\n` for n = 0, 1, …
   * `bf16`: the low 16 bits of each word with their exponent bits (14…7) replaced by 120 + (word >>> 16) mod 8,
   * little-endian. `constant`: the byte `seed`. Each is cut at `sizeBytes`.
   */
  recipe: 'random' | 'floats' | 'bf16' | 'csv' | 'constant'
  seed: number
  sizeBytes: number
}

export function generateContent({ recipe, seed, sizeBytes }: ContentRecipe): Uint8Array {
  if (recipe === 'constant') return new Uint8Array(sizeBytes).fill(seed)
  let state = seed
  const word = (): number => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return state >>> 0
  }
  if (recipe === 'csv') {
    let text = ''
    for (let n = 0; text.length < sizeBytes; n++) text += `${n},${word() % 100_000},item-${word() % 1000}\n`
    return new TextEncoder().encode(text.slice(0, sizeBytes))
  }
  if (recipe === 'bf16') {
    const halves = new Uint8Array(Math.ceil(sizeBytes / 2) * 2)
    const view = new DataView(halves.buffer)
    for (let at = 0; at < halves.length; at += 2) {
      const next = word()
      view.setUint16(at, (next & 0x807f) | ((120 + ((next >>> 16) & 7)) << 7), true)
    }
    return halves.subarray(0, sizeBytes)
  }
  const bytes = new Uint8Array(Math.ceil(sizeBytes / 4) * 4)
  const view = new DataView(bytes.buffer)
  for (let at = 0; at < bytes.length; at += 4) {
    const next = word()
    const exponent = 120 + ((next >>> 23) & 7)
    view.setUint32(at, recipe === 'random' ? next : ((next & 0x807f_ffff) | (exponent << 23)) >>> 0, true)
  }
  return bytes.subarray(0, sizeBytes)
}
