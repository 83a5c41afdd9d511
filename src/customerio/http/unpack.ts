import { brotliDecompressSync, gunzipSync, inflateSync } from 'node:zlib'
import { MAX_ANSWER_BYTES } from '../answers/received.ts'

/**
 * Decompresses a body. The relay asks for no `Content-Encoding`, but some servers compress anyway.
 *
 * @throws {Error} with a `code` if the encoding is unknown, the bytes are invalid, or they decompress to over 1 MB.
 */
export function unpack(body: Uint8Array, encoding: string | undefined): Uint8Array {
  const bound = { maxOutputLength: MAX_ANSWER_BYTES }
  if (body.length === 0) return body
  switch (encoding?.trim().toLowerCase() ?? '') {
    case '':
    case 'identity':
      return body
    case 'gzip':
    case 'x-gzip':
      return gunzipSync(body, bound)
    case 'deflate':
      return inflateSync(body, bound)
    case 'br':
      return brotliDecompressSync(body, bound)
    default:
      throw Object.assign(new Error('unknown content encoding'), { code: 'UNKNOWN_CONTENT_ENCODING' })
  }
}
