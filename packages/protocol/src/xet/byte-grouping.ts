/**
 * BG4 of xet.md §4.1: bytes at positions ≡ 0 mod 4 first, then ≡ 1, ≡ 2, ≡ 3, so that the exponents of
 * neighbouring floats lie side by side. Of n bytes the first n mod 4 groups have one more than the others.
 */
const GROUPS = 4

export function groupBytes(bytes: Uint8Array): Uint8Array {
  const grouped = new Uint8Array(bytes.length)
  let to = 0
  for (let group = 0; group < GROUPS; group++)
    for (let from = group; from < bytes.length; from += GROUPS) grouped[to++] = bytes[from]!
  return grouped
}

/** Writes them into `bytes`, which is as long. */
export function ungroupBytes(grouped: Uint8Array, bytes: Uint8Array): void {
  const { length } = grouped
  const size = length >> 2
  const longer = length & 3
  const second = size + (longer > 0 ? 1 : 0)
  const third = second + size + (longer > 1 ? 1 : 0)
  const fourth = third + size + (longer > 2 ? 1 : 0)
  const view = new DataView(bytes.buffer, bytes.byteOffset, length)
  // One pass over the output: several passes would each touch every cache line of it.
  for (let i = 0; i < size; i++) {
    const word =
      grouped[i]! | (grouped[second + i]! << 8) | (grouped[third + i]! << 16) | (grouped[fourth + i]! << 24)
    view.setInt32(i * GROUPS, word, true)
  }
  const to = size * GROUPS
  if (longer > 0) bytes[to] = grouped[size]!
  if (longer > 1) bytes[to + 1] = grouped[second + size]!
  if (longer > 2) bytes[to + 2] = grouped[third + size]!
}
