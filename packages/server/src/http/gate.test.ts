import { expect, test } from 'vitest'

import { bucketOf, clientOfAddress } from './gate.ts'

test.each([
  ['/health', null],
  ['/api/models/acme/tiny/tree/main/resolve/x', 'api'],
  ['/oauth/token', 'api'],
  ['/.well-known/openid-configuration', 'api'],
  ['/acme/tiny/resolve/main/model.safetensors?download=true', 'resolvers'],
  ['/datasets/acme/tiny/raw/main/README.md', 'resolvers'],
  ['/acme/tiny.git/info/lfs/objects/batch', 'api'],
  ['/acme/tiny/info/refs?service=git-upload-pack', 'api'],
  ['/acme/tiny/git-receive-pack', 'api'],
  ['/v2/acme/tiny/manifests/latest', 'resolvers'],
  ['/acme/tiny', 'pages'],
  ['/search?q=/resolve/', 'pages'],
])('%s counts as %s', (url, bucket) => expect(bucketOf(url)).toBe(bucket))

test.each([
  ['192.0.2.7', '192.0.2.7'],
  ['::ffff:192.0.2.7', '::ffff:c000:207'],
  ['::1', '::1'],
  ['2001:db8::1', '2001:db8:0:0::/64'],
  ['2001:0DB8:0:0:ffff::2', '2001:db8:0:0::/64'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
  ['fe80::1%eth0', 'fe80:0:0:0::/64'],
  ['', ''],
])('the address %s counts as %s', (address, client) => expect(clientOfAddress(address)).toBe(client))
