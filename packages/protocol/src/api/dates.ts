/** Dates as every client generation parses them: UTC, three digits of fraction, a literal `Z` (hub-api.md §1.4). */

/** `YYYY-MM-DDTHH:MM:SS.mmmZ` from milliseconds since the epoch. Throws RangeError outside of the years 0 to 9999. */
export function formatDate(atMs: number): string {
  const text = new Date(atMs).toISOString()
  // Other years have a sign and six digits, which no client reads.
  if (text.length !== 24) throw new RangeError(`No date for ${atMs}`)
  return text
}
