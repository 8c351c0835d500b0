/** A picture for every name: five by five squares, mirrored, in a colour of its own. Nothing in it comes from outside. */
import { createHash } from 'node:crypto'

const SIZE = 5
/** Columns that the hash chooses; the others mirror them. */
const CHOSEN = 3

export function identicon(name: string): string {
  const hash = createHash('sha256').update(name.toLowerCase()).digest()
  const hue = Math.round(((hash[0] ?? 0) * 360) / 256)
  let squares = ''
  for (let y = 0; y < SIZE; y++)
    for (let x = 0; x < SIZE; x++) {
      const column = x < CHOSEN ? x : SIZE - 1 - x
      if (((hash[1 + y * CHOSEN + column] ?? 0) & 1) === 1) squares += `M${x + 1} ${y + 1}h1v1h-1z`
    }
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 7 7" width="140" height="140">` +
    `<path fill="hsl(${hue} 45% 92%)" d="M0 0h7v7H0z"/><path fill="hsl(${hue} 55% 42%)" d="${squares}"/></svg>`
  )
}
