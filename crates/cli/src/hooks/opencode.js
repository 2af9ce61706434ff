// Written by `ctxpin hook install opencode`, which replaces it, and `ctxpin hook uninstall opencode` deletes it.
//
// It tells ctxpin of your sessions: their ids, those of your prompts, and the directory. What opencode puts before the
// conversation of each request (its system text), the instruction files that it has added to the results of tools in the
// conversation, the skills that were used there, and whether the agent may use skills, go to the ctxpin process that watches
// the directory, which compares them with the pin and keeps no text. opencode goes on whatever happens here.
import { spawn } from "node:child_process"
import { randomUUID } from "node:crypto"

const COMMAND = []

// The longest wait of a prompt.
const WAIT_MILLISECONDS_MAX = 2000

// What goes on behind that is ended then. On a busy machine, ctxpin may begin late.
const RUN_MILLISECONDS_MAX = 5000

// The longest wait for what opencode knows of a session and its agents.
const SESSION_MILLISECONDS_MAX = 200

const ANSWER_CHARACTERS_MAX = 16384

// The session that began first is forgotten, and is told of again with its next prompt.
const SESSIONS_MAX = 256

const TOAST_MILLISECONDS = 10000

// A request with more is not handed over.
const GIVEN_CHARACTERS_MAX = 1048576

// What may wait to be handed over. Behind it, a request is left out.
const WAITING_MAX = 64

// The prompts of a session to which a request may belong.
const TURNS_MAX = 64

// The requests of a session that opencode prepares at once.
const SYSTEMS_MAX = 4

// opencode's own agents, whose requests have no instruction files.
const OWN_AGENTS = ["title", "summary", "compaction"]

// How opencode begins the instruction files that it adds to what was read, behind the file. The lines of that have numbers.
const FILES_BEGIN = "\n</content>\n\n<system-reminder>\nInstructions from: "
const BEFORE_FILES = "\n</content>\n\n"

// The tools of the model that read a file, and that give the text of a skill.
const READ_TOOL = "read"
const SKILL_TOOL = "skill"

// What opencode says before it shows a file that a prompt names, and how it shows one.
const READ_SAID = "Called the Read tool with the following input: "
const FILE_SHOWN = "<path>"

// The files and skills in the conversation go along up to this size, the newest ones.
const ADDED_CHARACTERS_MAX = 262144

// The one error of an answer behind which opencode keeps what the answer has.
const BROKEN_OFF = "MessageAbortedError"

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

// Runs ctxpin with a message. Resolves to its answer, to null if nobody watches the directory, or to undefined if ctxpin did
// not answer in time, or rejects.
function ask(message) {
  return new Promise((resolve, reject) => {
    // A repository may have set variables and the directory. Neither goes along, and no shell is in between.
    const child = spawn(COMMAND[0], COMMAND.slice(1), { cwd: "/", env: {}, stdio: ["pipe", "pipe", "ignore"] })
    const timer = setTimeout(() => child.kill("SIGKILL"), RUN_MILLISECONDS_MAX)
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
        resolve(answer ? JSON.parse(answer) : undefined)
      } catch (error) {
        reject(error)
      }
    })
    child.stdin.end(JSON.stringify(message))
  })
}

// Returns the result of a tool that a conversation has, unless opencode has cleared it since.
function resultOf({ status, time, output }) {
  return status === "completed" && !time.compacted ? output : undefined
}

// Returns whether a part is a file that a prompt names, as opencode has read it. A text that a person pastes has the same
// parts around it, but no file.
function isFileOf(parts, index) {
  const [before, { synthetic, text }, behind] = [parts[index - 1], parts[index], parts[index + 1]]
  const isSaid = before?.synthetic && before.text?.startsWith(READ_SAID)
  return isSaid && synthetic && text.startsWith(FILE_SHOWN) && behind?.type === "file" && behind.url?.startsWith("file:")
}

// Returns the instruction files that opencode itself has put behind a file. Other tools can print such words.
function filesBehind(said) {
  const begin = said.indexOf(FILES_BEGIN)
  return begin < 0 ? undefined : said.slice(begin + BEFORE_FILES.length)
}

// Returns what opencode has added to a part of a conversation.
function textAdded(parts, index) {
  const { type, tool, state, text } = parts[index]
  const said = type === "tool" ? resultOf(state) : text
  if (typeof said !== "string") return undefined
  if (type !== "tool") return isFileOf(parts, index) ? filesBehind(said) : undefined
  if (tool === SKILL_TOOL) return state.metadata?.truncated ? undefined : said
  return tool === READ_TOOL && state.metadata?.loaded?.length ? filesBehind(said) : undefined
}

// Returns what a conversation has besides the system text: the instruction files behind files that the model has read and
// that a prompt names, and the skills that were used. Of a result that opencode has cut, nothing is known.
function textsAdded(messages) {
  const texts = []
  for (const { info, parts } of messages) {
    if (info.error && info.error.name !== BROKEN_OFF) continue
    texts.push(...parts.map((_, index) => textAdded(parts, index)).filter((text) => text !== undefined))
  }
  return texts
}

// Returns whether a pattern of a permission's name is about the tool that gives skills.
function isAboutSkills(pattern) {
  const literal = pattern.replace(/[.+^${}()|[\]\\]/g, "\\$&")
  return new RegExp(`^${literal.replace(/\*+/g, ".*").replaceAll("?", ".")}$`, "s").test(SKILL_TOOL)
}

// Returns of each agent whether opencode lists skills for it: unless the last permission for the tool denies all of them.
function usersOfSkills({ data }) {
  const mayUse = ({ permission }) => {
    const last = permission.findLast((rule) => isAboutSkills(rule.permission))
    return !(last?.pattern === "*" && last.action === "deny")
  }
  return new Map(data.map((agent) => [agent.name, mayUse(agent)]))
}

function charactersOf(texts) {
  return texts.reduce((sum, text) => sum + text.length, 0)
}

export const Ctxpin = async ({ client, directory }) => {
  const loadedAt = Date.now()
  // What is known of each session that ctxpin was told of.
  const sessions = new Map()

  async function tell(session, event, more) {
    const answer = await ask({ session_id: session, cwd: directory, hook_event_name: event, ...more })
    if (answer?.message) {
      const body = { message: answer.message, variant: "info", duration: TOAST_MILLISECONDS }
      Promise.resolve(client.tui.showToast({ body })).catch(() => {})
    }
    return answer
  }

  // Tells of events of a session in their order.
  function queue(session, event, more) {
    const known = sessions.get(session)
    if (!known) return Promise.resolve()
    known.waiting += 1
    known.last = known.last
      .then(() => (known.isFollowed === false && event === "Given" ? undefined : tell(session, event, more)))
      .catch(() => {})
      .finally(() => (known.waiting -= 1))
    return known.last
  }

  function give(session, given) {
    const known = sessions.get(session)
    if (known.waiting >= WAITING_MAX) return
    if (charactersOf(given.texts) + charactersOf(given.added) <= GIVEN_CHARACTERS_MAX) queue(session, "Given", { given })
  }

  async function start(session) {
    if (sessions.size >= SESSIONS_MAX) sessions.delete(sessions.keys().next().value)
    const known = { chat: undefined, version: undefined, isFollowed: undefined, mayUseSkills: undefined, turns: [], made: {}, systems: [], added: [], waiting: 0, last: Promise.resolve() }
    sessions.set(session, known)
    const ask = (asked) => within(SESSION_MILLISECONDS_MAX, Promise.resolve().then(asked))
    const agents = ask(() => client.app.agents().then(usersOfSkills))
    const info = (await ask(() => client.session.get({ path: { id: session } })))?.data
    known.mayUseSkills = await agents
    known.version = info?.version
    const source = info && info.time.created < loadedAt ? "resume" : "startup"
    const parent = info?.parentID ? { parent_id: info.parentID } : {}
    const told = tell(session, "SessionStart", { source, ...parent })
    const note = (answer) => {
      known.chat = answer?.chat
      // On a busy machine, opencode may make the first request before ctxpin has answered.
      if (answer !== undefined) known.isFollowed = Boolean(answer)
    }
    known.last = told.then(note).catch(() => {})
  }

  async function prompt(session, turn) {
    if (!sessions.has(session)) await start(session)
    const known = sessions.get(session)
    known.turns = [...known.turns, turn].slice(-TURNS_MAX)
    // The watching may begin while the session runs.
    if (await queue(session, "UserPromptSubmit", { turn_id: turn })) known.isFollowed = true
  }

  // A request that opencode makes: its conversation and its system text come first, and then its agent and its prompt.
  function request(session, agent, message) {
    const known = sessions.get(session)
    const texts = known?.systems.shift()
    if (!texts || OWN_AGENTS.includes(agent)) return
    const turn = known.turns.includes(message) ? message : known.turns.at(-1)
    let room = ADDED_CHARACTERS_MAX
    const last = known.added.findLastIndex((text) => (room -= text.length) < 0)
    const [added, is_cut] = [known.added.slice(last + 1), last >= 0]
    const [version, may_use_skills] = [known.version, known.mayUseSkills?.get(agent)]
    const number = known.made.turn === turn ? known.made.number + 1 : 1
    known.made = { turn, number }
    give(session, { type: "system", session, turn, request: randomUUID(), number, version, texts, added, is_cut, may_use_skills })
  }

  return {
    "chat.message": async (input, output) => {
      await within(WAIT_MILLISECONDS_MAX, prompt(input.sessionID, output.message.id))
    },
    "experimental.chat.system.transform": async (input, output) => {
      const known = sessions.get(input.sessionID)
      if (known) known.systems = [...known.systems, [...output.system]].slice(-SYSTEMS_MAX)
    },
    "chat.params": async (input) => {
      const agent = typeof input.agent === "string" ? input.agent : input.agent?.name
      request(input.sessionID, agent, input.message?.id)
    },
    // The conversation as the next request has it: also that of a fork, or of a session of an earlier process.
    "experimental.chat.messages.transform": async (input, output) => {
      const known = sessions.get(output.messages.at(-1)?.info.sessionID)
      if (known) known.added = textsAdded(output.messages)
    },
    event: async ({ event }) => {
      if (event.type !== "session.idle") return
      const session = event.properties?.sessionID
      queue(session, "Stop", { turn_id: sessions.get(session)?.turns.at(-1) })
    },
    "shell.env": async (input, output) => {
      const chat = sessions.get(input.sessionID)?.chat
      if (chat) output.env.CTXPIN_CHAT = chat
    },
  }
}
