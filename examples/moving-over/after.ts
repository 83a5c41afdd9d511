/** After: the same calls in the transaction of the business write. They are delivered if, and only if, it commits. */
import { createOutbox } from 'customerio-outbox'
import { SendEmailRequest } from 'customerio-node'
import { transaction } from './database.ts'
import { insertUser, type User, welcomeEmail } from './user.ts'

const outbox = createOutbox()

export async function signUp(user: User): Promise<void> {
  await transaction(async (tx) => {
    const customerio = outbox.trackClient(tx)
    const api = outbox.apiClient(tx)
    await insertUser(tx, user)
    await customerio.identify(user.id, { email: user.email, plan: user.plan })
    await customerio.track(user.id, { name: 'signed_up', data: { source: 'web' } })
    await customerio.addDevice(user.id, 'device-1', 'ios')
    await api.sendEmail(new SendEmailRequest(welcomeEmail(user)))
  })
}
