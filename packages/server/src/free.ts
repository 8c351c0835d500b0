/**
 * Memory given back at once. V8 sees large buffers only as a sum: when the garbage among them has grown by some 50 MB it
 * goes through the whole heap, twenty times for each GiB that passes, and that costs more than moving the bytes.
 */

/** Whoever calls this is the last one who knows the bytes, the kernel included: afterwards there are none. */
export function free({ buffer, byteLength }: Uint8Array): void {
  // Otherwise others have their bytes in the same memory.
  if (buffer instanceof ArrayBuffer && buffer.byteLength === byteLength) buffer.transfer(0)
}
