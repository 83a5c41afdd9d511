/** BullMQ's connection options for a Redis URL. */
export function connectionOf(url: string): { host: string; port: number } {
  const { hostname, port } = new URL(url)
  return { host: hostname, port: Number(port) }
}
