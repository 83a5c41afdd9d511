/**
 * Loaded before everything else (`node --import`): the clock of the host is off by so many milliseconds as the query of
 * this module's URL says, for all that asks the time of day. Timers and `performance` are not touched, as on a real host.
 */
const off = Number(new URL(import.meta.url).searchParams.get('off'))

globalThis.Date = new Proxy(Date, {
  construct(target, args, self) {
    return Reflect.construct(target, args.length === 0 ? [target.now() + off] : args, self)
  },
  apply: (target) => new target(target.now() + off).toString(),
  get: (target, name) => (name === 'now' ? () => target.now() + off : Reflect.get(target, name)),
})
