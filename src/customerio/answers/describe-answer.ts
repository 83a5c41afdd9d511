import type { Answered } from './received.ts'

/** What servers and proxies answer with. Any other `Content-Type` may have been made from the request. */
const MEDIA_TYPES = new Set([
  'application/json',
  'application/octet-stream',
  'application/problem+json',
  'application/vnd.api+json',
  'application/xhtml+xml',
  'application/xml',
  'text/html',
  'text/json',
  'text/plain',
  'text/xml',
])

const count = new Intl.NumberFormat('en-US')

/**
 * An answer in words that are ours: media type and length, such as `text/html, 1,532 bytes`. Nothing of its text is kept,
 * because a server may quote the request in any form.
 */
export function describeAnswer({ contentType, body }: Pick<Answered, 'contentType' | 'body'>): string {
  const bytes = Buffer.byteLength(body)
  return `${mediaType(contentType)}, ${count.format(bytes)} ${bytes === 1 ? 'byte' : 'bytes'}`
}

function mediaType(contentType: string | undefined): string {
  if (contentType === undefined) return 'no content type'
  const essence = contentType.split(';', 1)[0]?.trim().toLowerCase() ?? ''
  return MEDIA_TYPES.has(essence) ? essence : 'another content type'
}
