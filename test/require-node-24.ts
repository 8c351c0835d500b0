/** `node_modules/.bin/vitest` called directly would quietly run on the machine's own Node. */
export default function requireNode24(): void {
  if (Number(process.versions.node.split('.')[0]) < 24)
    throw new Error(`Node 24 is needed, this is ${process.version}: run the tests with npx or npm`)
}
