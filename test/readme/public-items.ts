import path from 'node:path'
import {
  API,
  type Checker,
  type Project,
  type Symbol as ExportedSymbol,
  SymbolFlags,
} from 'typescript/unstable/sync'
import { REPOSITORY } from './blocks.ts'

/** Something that an app can import, or a member of it, and what its doc comment lacks. */
export interface PublicItem {
  /** `createOutbox`, `Outbox.enqueue`, `EnqueueOptions.dedupKey`. */
  readonly name: string
  /** `src/enqueue/outbox.ts` */
  readonly file: string
  /** Missing tags: `@example`, `@default`, `@param options`. */
  readonly missing: readonly string[]
}

/**
 * Returns the exports of `entry` that must be documented: functions, classes, objects of functions, methods, and the
 * members of options. The shapes of a transaction (`…Like`) are left out: the app does not call them.
 */
export function publicItems(entry: string): PublicItem[] {
  const api = new API({ cwd: REPOSITORY })
  try {
    const config = path.join(REPOSITORY, 'tsconfig.build.json')
    const project = api.updateSnapshot({ openProjects: [config] }).getProject(config)
    if (!project) throw new Error(`the compiler did not open ${config}`)
    return exportsOf(project, entry).flatMap((symbol) => itemsOf(project, symbol))
  } finally {
    api.close()
  }
}

function exportsOf({ program, checker }: Project, entry: string): ExportedSymbol[] {
  const file = program.getSourceFile(path.join(REPOSITORY, entry))
  const module = file && checker.getSymbolAtLocation(file)
  if (!module) throw new Error(`${entry} exports nothing`)
  return checker
    .getExportsOfModule(module)
    .map((symbol) => (symbol.flags & SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol))
}

function itemsOf({ checker }: Project, symbol: ExportedSymbol): PublicItem[] {
  const { name, flags } = symbol
  const file = path.relative(REPOSITORY, symbol.declarations[0]?.path ?? '')
  const item = (label: string, missing: readonly string[]): PublicItem[] => [{ name: label, file, missing }]
  if (flags & SymbolFlags.Function) return item(name, missingOfFunction(checker, symbol))
  if (name.endsWith('Like')) return []
  if (name.endsWith('Options')) {
    const options = checker.getPropertiesOfType(checker.getDeclaredTypeOfSymbol(symbol))
    return options.flatMap((option) => item(`${name}.${option.name}`, missingOfOption(checker, option)))
  }
  if (flags & SymbolFlags.Variable) return item(name, missingTags(checker, symbol, ['example']))
  const members = [...symbol.getMembers().values()].filter((member) => isPublicMethod(checker, member))
  return [
    ...(flags & SymbolFlags.Class ? item(name, missingTags(checker, symbol, ['example'])) : []),
    ...members.flatMap((member) => item(`${name}.${member.name}`, missingOfFunction(checker, member))),
  ]
}

function isPublicMethod(checker: Checker, member: ExportedSymbol): boolean {
  const { name, flags } = member
  if ((flags & SymbolFlags.Method) === 0 || name.startsWith('#') || name.startsWith('__')) return false
  return !checker.getJsDocTagsOfSymbol(member).some((tag) => tag.name === 'internal')
}

function missingOfFunction(checker: Checker, symbol: ExportedSymbol): string[] {
  const type = checker.getTypeOfSymbol(symbol)
  const signatures = type ? checker.getSignaturesOfType(type, 0) : []
  const named = checker
    .getJsDocTagsOfSymbol(symbol)
    .filter((tag) => tag.name === 'param')
    .map(({ text }) => text?.split(/\s/, 1)[0] ?? '')
  // A destructured parameter is called `__0` here, and has a name only in the comment.
  const isNamed = (name: string) =>
    name.startsWith('__') ? named.length >= parameters.size : named.includes(name)
  const parameters = new Set(signatures.flatMap((one) => one.getParameters().map(({ name }) => name)))
  return [
    ...missingTags(checker, symbol, ['example']),
    ...[...parameters].filter((name) => !isNamed(name)).map((name) => `@param ${name}`),
  ]
}

function missingOfOption(checker: Checker, option: ExportedSymbol): string[] {
  const isOptional = (option.flags & SymbolFlags.Optional) !== 0
  return isOptional ? missingTags(checker, option, ['default']) : []
}

function missingTags(checker: Checker, symbol: ExportedSymbol, names: readonly string[]): string[] {
  const given = checker.getJsDocTagsOfSymbol(symbol).map(({ name }) => name)
  return names.filter((name) => !given.includes(name)).map((name) => `@${name}`)
}
