import path from 'node:path'
import type { NextConfig } from 'next'

const config: NextConfig = {
  // Only because this example uses the package of the repository's root, through a link.
  turbopack: { root: path.join(import.meta.dirname, '../..') },
}

export default config
