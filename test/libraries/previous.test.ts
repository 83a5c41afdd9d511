import { contract } from './contract/contract.ts'
import { previous } from './previous/libraries.ts'

contract(previous)
