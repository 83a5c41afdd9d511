import { refuse, refuseSize, type Subject } from '../errors.ts'
import { isLonger, utf8Bytes } from '../size.ts'

/** Refuses a text that is empty, or only spaces. */
export function checkNotBlank(subject: Subject, field: string, text: string): void {
  if (text.trim() !== '') return
  refuse(subject, field, text === '' ? 'is empty' : 'is only spaces')
}

/** Refuses a text of more than `limit` bytes of UTF-8. */
export function checkBytes(subject: Subject, field: string, text: string, limit: number): void {
  if (isLonger(text, limit)) refuseSize(subject, field, { limit, actual: utf8Bytes(text) })
}
