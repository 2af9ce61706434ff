// Written by `ctxpin hook install opencode`, which replaces it, and `ctxpin hook uninstall opencode` deletes it.
//
// It tells ctxpin of your sessions: their ids, those of your prompts, and the directory. No word of a conversation is
// handed over. opencode goes on whatever happens here.
import { spawn } from "node:child_process"

const COMMAND = []

// The longest wait of a prompt.
const WAIT_MILLISECONDS_MAX = 2000

// The longest wait for what opencode knows of a session.
const SESSION_MILLISECONDS_MAX = 200

const ANSWER_CHARACTERS_MAX = 16384

// The session that began first is forgotten, and is told of again with its next prompt.
const SESSIONS_MAX = 256

const TOAST_MILLISECONDS = 10000

// Resolves to undefined if the promise fails, or does not resolve in time.
function within(milliseconds, promise) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds)
    const end = (value) => {
      clearTimeout(timer)
      resolve(value)
    }
    promise.then(end, () => end(undefined))
  })
}

// Runs ctxpin with a message. Resolves to its answer, or rejects.
function ask(message) {
  return new Promise((resolve, reject) => {
    // A repository may have set variables and the directory. Neither goes along, and no shell is in between.
    const child = spawn(COMMAND[0], COMMAND.slice(1), { cwd: "/", env: {}, stdio: ["pipe", "pipe", "ignore"] })
    const timer = setTimeout(() => child.kill("SIGKILL"), WAIT_MILLISECONDS_MAX)
    let answer = ""
    child.stdout.setEncoding("utf8")
    child.stdout.on("data", (text) => {
      if (answer.length + text.length <= ANSWER_CHARACTERS_MAX) answer += text
    })
    child.stdin.on("error", () => {})
    child.on("error", reject)
    child.on("close", () => {
      clearTimeout(timer)
      try {
        resolve(answer ? JSON.parse(answer) : {})
      } catch (error) {
        reject(error)
      }
    })
    child.stdin.end(JSON.stringify(message))
  })
}

export const Ctxpin = async ({ client, directory }) => {
  const loadedAt = Date.now()
  // The chat of each session that ctxpin was told of. It is undefined if nobody watches the directory.
  const chats = new Map()

  async function tell(session, event, more) {
    const answer = await ask({ session_id: session, cwd: directory, hook_event_name: event, ...more })
    if (answer.message) {
      const body = { message: answer.message, variant: "info", duration: TOAST_MILLISECONDS }
      Promise.resolve(client.tui.showToast({ body })).catch(() => {})
    }
    return answer
  }

  async function start(session) {
    const asked = client.session.get({ path: { id: session } })
    const info = (await within(SESSION_MILLISECONDS_MAX, Promise.resolve(asked)))?.data
    const source = info && info.time.created < loadedAt ? "resume" : "startup"
    if (chats.size >= SESSIONS_MAX) chats.delete(chats.keys().next().value)
    chats.set(session, undefined)
    const parent = info?.parentID ? { parent_id: info.parentID } : {}
    chats.set(session, (await tell(session, "SessionStart", { source, ...parent })).chat)
  }

  async function prompt(session, turn) {
    if (!chats.has(session)) await start(session).catch(() => {})
    await tell(session, "UserPromptSubmit", { turn_id: turn })
  }

  return {
    "chat.message": async (input, output) => {
      await within(WAIT_MILLISECONDS_MAX, prompt(input.sessionID, output.message.id))
    },
    "shell.env": async (input, output) => {
      const chat = chats.get(input.sessionID)
      if (chat) output.env.CTXPIN_CHAT = chat
    },
  }
}
