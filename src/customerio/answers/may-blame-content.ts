/**
 * Whether the content of a request may have caused its failure: Customer.io, or a gateway in front of it, answered 4xx or
 * 5xx. A firewall answers 400, 403, 405 or 406 if it blocks a body. A timeout, a reset, a redirect or an unreadable 2xx says
 * nothing about the content.
 */
export function mayBlameContent({ status = 0 }: { readonly status?: number | undefined }): boolean {
  return status >= 400
}
