/** Before: customerio-node after the commit. If the process ends in between, or Customer.io is down, the calls are lost. */
import { APIClient, SendEmailRequest, TrackClient } from 'customerio-node'
import { transaction } from './database.ts'
import { insertUser, type User, welcomeEmail } from './user.ts'

const url = process.env.CUSTOMERIO_URL // the fake of compare.ts; without it, the real Customer.io
const customerio = new TrackClient('site', 'key', url ? { url: `${url}/api/v1` } : {})
const api = new APIClient('app-key', url ? { url: `${url}/v1` } : {})

export async function signUp(user: User): Promise<void> {
  await transaction((tx) => insertUser(tx, user))
  await customerio.identify(user.id, { email: user.email, plan: user.plan })
  await customerio.track(user.id, { name: 'signed_up', data: { source: 'web' } })
  await customerio.addDevice(user.id, 'device-1', 'ios')
  await api.sendEmail(new SendEmailRequest(welcomeEmail(user)))
}
