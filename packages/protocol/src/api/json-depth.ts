/**
 * How deep a JSON text nests. Parsing takes any depth; writing, comparing or checking a value calls itself for each level
 * and ends in an error of the stack, long after the text came in.
 */
const [QUOTE, BACKSLASH] = [0x22, 0x5c]
const [OPEN_LIST, CLOSE_LIST, OPEN_OBJECT, CLOSE_OBJECT] = [0x5b, 0x5d, 0x7b, 0x7d]

/** The text must be valid JSON. */
export function depthOfJson(json: string): number {
  let depth = 0
  let deepest = 0
  for (let at = 0; at < json.length; at += 1) {
    switch (json.charCodeAt(at)) {
      case QUOTE:
        for (at += 1; json.charCodeAt(at) !== QUOTE; at += 1) if (json.charCodeAt(at) === BACKSLASH) at += 1
        break
      case OPEN_LIST:
      case OPEN_OBJECT:
        depth += 1
        deepest = Math.max(deepest, depth)
        break
      case CLOSE_LIST:
      case CLOSE_OBJECT:
        depth -= 1
    }
  }
  return deepest
}
