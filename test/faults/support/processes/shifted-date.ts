/**
 * Loaded before all other modules (`node --import`): shifts the time of day of this process by the milliseconds in the query
 * of this module's URL. As with a wrong clock of a real host, timers and `performance` do not change.
 */
const off = Number(new URL(import.meta.url).searchParams.get('off'))

globalThis.Date = new Proxy(Date, {
  construct(target, args, self) {
    return Reflect.construct(target, args.length === 0 ? [target.now() + off] : args, self)
  },
  apply: (target) => new target(target.now() + off).toString(),
  get: (target, name) => (name === 'now' ? () => target.now() + off : Reflect.get(target, name)),
})
