/**
 * Loaded before everything else (`node --import`): the clock of the host is off by `HOST_CLOCK_OFF_MS`, for all that asks
 * the time of day. Timers and `performance` count from the start and are not touched, as on a real host.
 */
const off = Number(process.env.HOST_CLOCK_OFF_MS)
const RealDate = Date

globalThis.Date = new Proxy(RealDate, {
  construct(target, args, self) {
    return Reflect.construct(target, args.length === 0 ? [target.now() + off] : args, self)
  },
  apply: (target) => new target(target.now() + off).toString(),
  get: (target, name) => (name === 'now' ? () => target.now() + off : Reflect.get(target, name)),
})
