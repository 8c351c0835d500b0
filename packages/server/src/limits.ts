/** The server's own limits. What both ends of a wire must agree on is in protocol/limits.ts. */

const KIB = 1024
const MIB = 1024 * KIB

/** Serialized bytes that go to a worker at once: enough that the hop costs little, few enough for many uploads. */
export const XORB_BATCH_BYTES = 512 * KIB
/** The same when decoded, so that no upload holds a worker for long by compressing well. */
export const XORB_BATCH_RAW_BYTES = 4 * MIB
/** Batches of one upload that workers or the store have; a further one is being filled. */
export const XORB_BATCHES_IN_FLIGHT_MAX = 2
/**
 * Chunks that a download decodes in place. A hop to a worker costs 0.05 to 0.2 ms and this many chunks cost about as
 * much; counted in chunks, because well compressed bytes say nothing about the work that they make.
 */
export const XORB_INLINE_CHUNKS_MAX = 4
