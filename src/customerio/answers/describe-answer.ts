import type { Answered } from './received.ts'

/** Usual media types of servers and proxies. Any other `Content-Type` may be derived from the request. */
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
 * Describes an answer by media type and length: `text/html, 1,532 bytes`. The description has nothing of the answer's
 * text, because a server may quote the request in any form.
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
