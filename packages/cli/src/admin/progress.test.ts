/** Who watches sees how far it is; who does not gets nothing. */
import { expect, test } from 'vitest'

import { openProgress } from './progress.ts'

function shown(isTTY: boolean): { text: () => string; stderr: Parameters<typeof openProgress>[0] } {
  let text = ''
  return { text: () => text, stderr: { isTTY, write: (part) => (text += part) } }
}

test('a bar with its share, or a count when nobody knows of how many, in one line that goes away', () => {
  const { text, stderr } = shown(true)
  const progress = openProgress(stderr, true)
  progress.show('xorbs', 5, 20, 'one')
  expect(text()).toBe('\r\u001b[Kxorbs [#####---------------] 25 % 5 of 20 one')
  progress.show('folders', 7, null, '\u001b[2J')
  expect(text().endsWith('\r\u001b[Kfolders 7 \\u{1b}[2J')).toBe(true)
  progress.show('xorbs', 30, 20, '')
  expect(text()).toContain('[####################] 100 %')
  progress.clear()
  expect(text().endsWith('\r\u001b[K')).toBe(true)
})

test('nothing without a terminal, and nothing beside JSON', () => {
  for (const [isTTY, isWanted] of [
    [false, true],
    [true, false],
  ] as const) {
    const { text, stderr } = shown(isTTY)
    const progress = openProgress(stderr, isWanted)
    progress.show('xorbs', 1, 2, '')
    progress.clear()
    expect(text()).toBe('')
  }
})
