/**
 * Whether the content of a request may have caused its failure: the service, or a gateway in front of it, has answered
 * 4xx or 5xx. A firewall answers 400, 403, 405 or 406 to a body that it dislikes. A timeout, a reset, a redirect or a 2xx
 * that cannot be read says nothing about the content.
 */
export function mayBlameContent({ status = 0 }: { readonly status?: number | undefined }): boolean {
  return status >= 400
}
