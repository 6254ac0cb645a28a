// Fills the course's pages with what `lab serve` knows of the reader's lab. Without it nothing here does anything.
// All text of the cluster goes in as text; only the picture is markup, made by our own server, and it is parsed, never run.

const LOCAL = ["127.0.0.1", "localhost"].includes(location.hostname)
const POLL_MS = 2000
const RETRY_MS = 500
const MARKS = { pass: "✓", fail: "✗", waiting: "…", blocked: "○", error: "!" }
const WORDS = { pass: "done", fail: "not yet", waiting: "settling", blocked: "blocked", error: "cannot be judged" }
const VERBS = { start: "Starting", resume: "Resuming", stop: "Stopping", reset: "Resetting" }

// Small helpers ---------------------------------------------------------------------------------------------------------------------

/** Make an element: h("p", {class: "x"}, "text", other). */
function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag)
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value)
    else if (value === true) element.setAttribute(name, "")
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value)
  }
  element.append(...children.filter(child => child !== null && child !== undefined && child !== ""))
  return element
}

/** Put new children into an element, unless they are what is there; the reader's place and open details stay. */
function fill(element, ...children) {
  const fresh = h("div", {}, ...children)
  for (const open of element.querySelectorAll("details[open]")) {
    const same = [...fresh.querySelectorAll("details")].find(one => one.className === open.className)
    if (same) same.open = true
  }
  if (element.innerHTML === fresh.innerHTML) return
  const focused = element !== document.activeElement && element.contains(document.activeElement) ? keyOf(document.activeElement) : null
  element.replaceChildren(...fresh.childNodes)
  if (focused) focus(element, focused)
}

const FOCUSABLE = "a[href], button:not(:disabled), summary, [tabindex]"

/** What tells a control from its neighbours, also after it was made anew. */
function keyOf(control) {
  return control.dataset.key || control.getAttribute("href") || `${control.tagName} ${control.className}`
}

/** Give a control of the element the focus; if it is gone, or off, the element itself: from there the keyboard goes on. */
function focus(element, key) {
  const same = [...element.querySelectorAll(FOCUSABLE)].find(one => keyOf(one) === key)
  if (!same) element.tabIndex = -1
  ;(same || element).focus({ preventScroll: true })
}

/** Words with `code` in them. */
function prose(text) {
  return text.split(/`([^`]+)`/).map((part, place) => (place % 2 ? h("code", {}, part) : part))
}

function seconds(value) {
  return value < 10 ? `${value.toFixed(1)} s` : value < 100 ? `${Math.round(value)} s` : `${Math.floor(value / 60)} min ${Math.round(value % 60)} s`
}

// The state -------------------------------------------------------------------------------------------------------------------------

const state = { parts: {}, version: 0, link: "connecting", problem: "" }
let jobHeardAt = 0

function take(message) {
  if (message.version < state.version) state.parts = {} // the server began anew
  for (const [name, value] of Object.entries(message.parts)) {
    if (value === null) delete state.parts[name]
    else state.parts[name] = value
    if (name === "job") jobHeardAt = performance.now()
  }
  state.version = message.version
  state.link = "live"
  state.problem = ""
  show()
}

/** Send, and once more if that fails: while machines come and go, browsers give up connections that they are about to make. */
async function send(address, options) {
  try {
    return await fetch(address, options)
  } catch {
    await pause(RETRY_MS)
    return fetch(address, options)
  }
}

async function post(what, wish) {
  state.problem = ""
  try {
    const answer = await send(`/api/${what}`, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(wish) })
    if (!answer.ok) {
      const text = await answer.text()
      let said = { what: text }
      try { said = JSON.parse(text) } catch { /* plain words */ }
      state.problem = [said.what, said.why, said.fix].filter(Boolean).join(". ")
    }
  } catch {
    state.problem = "`lab serve` does not answer."
  }
  show()
}

// One page at a time listens and tells the others: browsers allow only six connections to one server.
const channel = LOCAL && "BroadcastChannel" in window ? new BroadcastChannel("course-lab") : null
let leading = false

function hear(message) {
  take(message)
  channel?.postMessage({ message })
}

function listen() {
  if (!channel || !navigator.locks) {
    poll()
    return
  }
  channel.onmessage = event => {
    if (event.data.message) take(event.data.message)
    else if (event.data.link) { state.link = event.data.link; show() }
    else if (event.data.hello && leading) channel.postMessage({ message: { version: state.version, parts: state.parts } })
  }
  channel.postMessage({ hello: true })
  navigator.locks.request("course-lab", () => {
    leading = true
    return stream()
  })
}

/** Listen to the server until this page is closed; while streams fail, ask every two seconds. Ends where there is no `lab serve`. */
async function stream() {
  while (state.link !== "static") {
    const streams = await new Promise(ended => {
      let heard = false
      const source = new EventSource("/api/events")
      source.onmessage = event => { heard = true; hear(JSON.parse(event.data)) }
      source.onerror = () => { source.close(); ended(heard) }
    })
    do {
      await ask()
      if (!streams || state.link !== "live") await pause(POLL_MS)
    } while (state.link !== "live" && state.link !== "static")
  }
}

async function poll() {
  while (state.link !== "static") {
    await ask()
    await pause(document.hidden ? POLL_MS * 5 : POLL_MS)
  }
}

const pause = ms => new Promise(done => setTimeout(done, ms))

/** Ask once. Says whether the server is there, and whether this browser may. */
async function ask() {
  let link = "lost"
  try {
    const answer = await fetch(`/api/state?since=${state.version}`, { cache: "no-store" })
    if (answer.ok) {
      hear(await answer.json())
      return
    }
    if (answer.status === 401) link = "closed"
    if (answer.status === 404) link = "static"
  } catch { /* lost */ }
  state.link = link
  channel?.postMessage({ link })
  show()
}

// What is shown ---------------------------------------------------------------------------------------------------------------------

function lab(chapter) {
  return {
    row: state.parts[`lab/${chapter}`],
    machines: state.parts[`machines/${chapter}`] || [],
    verdicts: state.parts[`verdicts/${chapter}`],
    picture: state.parts[`picture/${chapter}`],
    about: (state.parts.chapters || []).find(one => one.chapter === chapter),
    job: state.parts.job?.chapter === chapter ? state.parts.job : null,
  }
}

function show() {
  if (state.link === "static" || state.link === "connecting") return
  document.body.classList.add("lab-live")
  for (const panel of document.querySelectorAll(".lab-panel")) {
    panel.hidden = false
    fill(panel, ...panelOf(panel.dataset.lab))
  }
  for (const box of document.querySelectorAll(".lab-task")) showTask(box)
  for (const place of document.querySelectorAll(".lab-overview")) {
    place.hidden = false
    fill(place, ...overview())
  }
  for (const place of document.querySelectorAll(".lab-static")) place.hidden = state.link === "live"
  for (const value of document.querySelectorAll("var[data-param]")) showValue(value)
  for (const element of document.querySelectorAll(".lab-picture")) showPicture(element)
}

function showValue(element) {
  const chapter = element.closest("[data-task]")?.dataset.task.slice(0, 2) || document.querySelector(".lab-panel")?.dataset.lab
  element.dataset.example ??= element.textContent
  const own = lab(chapter).row?.params[element.dataset.param]
  const text = own ?? element.dataset.example
  if (element.textContent !== text) element.textContent = text
  element.classList.toggle("lab-own", own !== undefined)
}

function notice() {
  if (state.link === "closed") {
    return h("p", { class: "lab-notice" }, "This browser may not see your lab yet. Open the whole address that ", h("code", {}, "./lab serve"), " printed, with its token.")
  }
  if (state.link === "lost") {
    return h("p", { class: "lab-notice lab-notice-bad", role: "status" }, "The connection to ", h("code", {}, "lab serve"), " is lost. What you see is what was last known. Start it again, and the page goes on.")
  }
  const { what, why, fix } = state.parts.trouble || {}
  const problem = state.problem || [what, why, fix].filter(Boolean).map(one => one.replace(/\.$/, "")).join(". ")
  return problem ? h("p", { class: "lab-notice lab-notice-bad", role: "alert" }, ...prose(problem)) : null
}

function panelOf(chapter) {
  const { row, verdicts, about, job, machines } = lab(chapter)
  if (state.link !== "live" && !row) return [notice()]
  const title = h("p", { class: "lab-panel-title" }, h("strong", {}, "Your lab"), " ", phase(row, job), row?.k3s ? h("span", { class: "lab-dim" }, ` ${row.k3s} on ${row.provider}`) : "")
  const body = [h("div", { class: "lab-panel-head" }, title, buttons(chapter, row, job, verdicts)), notice(), jobView(job)]
  if (row && !(job && job.state === "running")) {
    body.push(machinesView(machines), scoreView(verdicts, about), pictureView(chapter))
  } else if (!row && about) {
    body.push(h("p", { class: "lab-dim" }, `${about.minutes} minutes, ${about.possible} points. Starting makes its machines and cluster on this computer; your values then stand in the text.`))
  }
  return body
}

const PHASES = { "not started": ["not started", "off"], ready: ["running", "good"], stopped: ["stopped", "off"] }

function phase(row, job) {
  const [word, css] = job?.state === "running" ? [VERBS[job.verb].toLowerCase(), "busy"] : PHASES[row ? row.phase : "not started"] || ["not finished", "bad"]
  return h("span", { class: `lab-chip lab-chip-${css}` }, word)
}

function button(chapter, text, action, { main = false, disabled = false } = {}) {
  return h("button", { type: "button", class: `lab-button${main ? " lab-button-main" : ""}`, "data-key": `${chapter}-${text}`, disabled, onclick: action }, text)
}

/** The element that the panel of a chapter is in. */
function panelAt(chapter) {
  return document.querySelector(`.lab-panel[data-lab="${chapter}"], .lab-overview`)
}

const asking = {} // chapter → a reset that waits for a second press

function buttons(chapter, row, job, verdicts) {
  const busy = state.parts.job?.state === "running" || state.link !== "live"
  const run = verb => () => post("job", { verb, lab: chapter })
  const row_ = []
  if (!row) row_.push(button(chapter, "Start", run("start"), { main: true, disabled: busy }))
  else if (row.phase === "stopped") row_.push(button(chapter, "Resume", run("resume"), { main: true, disabled: busy }))
  else if (row.phase === "starting" && job?.state !== "running") row_.push(button(chapter, "Start", run("start"), { main: true, disabled: busy }))
  else if (row.phase === "ready") {
    row_.push(button(chapter, "Check", () => post("check", { lab: chapter }), { main: true, disabled: busy || !verdicts || Boolean(verdicts.doing) }))
    row_.push(button(chapter, "Stop", run("stop"), { disabled: busy }))
  }
  if (row && asking[chapter]) {
    row_.push(h("span", { class: "lab-ask", role: "status" }, "Everything in this cluster will be gone; your files stay."))
    row_.push(button(chapter, "Yes, reset", () => { delete asking[chapter]; run("reset")() }, { disabled: busy }))
    row_.push(button(chapter, "No", () => { delete asking[chapter]; show(); focus(panelAt(chapter), `${chapter}-Reset`) }))
  } else if (row) {
    row_.push(button(chapter, "Reset", () => { asking[chapter] = true; show(); focus(panelAt(chapter), `${chapter}-No`) }, { disabled: busy }))
  }
  return h("div", { class: "lab-buttons" }, ...row_)
}

function jobView(job) {
  if (!job) return null
  const running = job.state === "running"
  if (job.state === "done") return null
  const stages = job.stages.map(stage => {
    const done = stage.seconds !== null
    const bar = !done && stage.fraction !== null ? h("progress", { max: "1", value: String(stage.fraction), "aria-label": stage.text }) : ""
    const time = done ? seconds(stage.seconds) : stage.eta && stage.eta >= 5 ? `about ${seconds(stage.eta)}` : ""
    return h("li", { class: done ? "lab-stage-done" : "lab-stage" }, h("span", { "aria-hidden": "true" }, done ? "✓ " : "• "), stage.text, " ", h("span", { class: "lab-dim" }, time), bar)
  })
  const error = job.error && h("div", { class: "lab-notice lab-notice-bad", role: "alert" }, h("p", {}, h("strong", {}, `${job.error.what}.`)), h("p", {}, ...prose(job.error.why)), h("p", {}, "What to do: ", ...prose(job.error.fix)))
  return h("div", { class: "lab-job" },
    h("p", { role: "status" }, running ? `${VERBS[job.verb]} lab ${job.chapter} …` : `${VERBS[job.verb]} lab ${job.chapter} did not work.`),
    h("ul", { class: "lab-stages" }, ...stages), ...job.lines.map(line => h("p", { class: "lab-dim" }, line)), error)
}

function machinesView(machines) {
  if (!machines.length) return null
  return h("ul", { class: "lab-machines", "aria-label": "Machines" }, ...machines.map(machine =>
    h("li", {}, h("strong", {}, machine.name), " ", h("span", { class: `lab-chip lab-chip-${machine.state === "running" ? "good" : "off"}` }, machine.state), " ", h("code", {}, machine.address || "no address"))))
}

function scoreView(verdicts, about) {
  if (!verdicts) return null
  if (verdicts.trouble) {
    const { what, why, fix } = verdicts.trouble
    return h("div", { class: "lab-notice lab-notice-bad" }, h("p", {}, h("strong", {}, `${what}.`)), h("p", {}, ...prose(why)), h("p", {}, ...prose(fix)))
  }
  const away = verdicts.connection === "unreachable"
  const none = verdicts.connection === "absent" ? h("p", { class: "lab-dim" }, "There is no cluster yet: K3s is not installed.") : null
  const link = away ? h("p", { class: "lab-notice", role: "status" }, "The cluster does not answer at this moment", verdicts.why ? `: ${verdicts.why.replace(/\.$/, "")}` : "", ". The page goes on as soon as it does.") : null
  const doing = verdicts.doing ? h("p", { class: "lab-dim", role: "status" }, `${verdicts.doing} …`) : null
  const waits = verdicts.waits_for.map(line => h("p", { class: "lab-dim" }, line))
  const left = verdicts.notice ? h("p", { class: "lab-notice", role: "status" }, ...prose(verdicts.notice)) : null
  return h("div", { class: "lab-score" },
    h("p", {}, h("strong", { "data-earned": String(verdicts.earned) }, `${verdicts.earned} of ${verdicts.possible} points`), about && about.earned > verdicts.earned ? h("span", { class: "lab-dim" }, ` (your best: ${about.earned})`) : "",
      verdicts.undecided ? h("span", { class: "lab-dim" }, `, ${verdicts.undecided} could not be judged`) : ""),
    h("ul", { class: "lab-checks" }, ...verdicts.checks.map(check => h("li", {},
      h("a", { href: taskPage(check.id, about), class: `lab-dot lab-dot-${check.verdict}` }, h("span", { "aria-hidden": "true" }, MARKS[check.verdict]), h("span", { class: "lab-dot-id" }, ` ${check.id}`), h("span", { class: "lab-hidden" }, `: ${WORDS[check.verdict]}`))))),
    none, link, doing, ...waits, left, h("p", { class: "lab-dim" }, ...prose(verdicts.next)))
}

function taskPage(id, about) {
  const anchor = `#task-${id.replace(".", "-")}`
  return document.querySelector(`[data-task="${CSS.escape(id)}"]`) ? anchor : `/${about ? about.page : ""}${anchor}`
}

function pictureView(chapter) {
  const picture = lab(chapter).picture
  if (!picture || !picture.svg) return null
  return h("div", { class: "lab-picture-frame" },
    h("div", { class: "lab-picture", "data-lab": chapter, tabindex: "0", role: "group", "aria-label": "Picture of your lab", "data-version": hash(picture.svg) }),
    h("details", { class: "lab-words" }, h("summary", {}, "The same in words"), h("ul", {}, ...picture.words.map(line => h("li", {}, line)))))
}

/** The picture, parsed as a document of its own, and only what draws is taken over. */
function showPicture(element) {
  const picture = lab(element.dataset.lab).picture
  if (!picture || element.dataset.drawn === element.dataset.version) return
  const parsed = new DOMParser().parseFromString(picture.svg, "image/svg+xml").documentElement
  if (parsed.nodeName !== "svg") return
  for (const other of parsed.querySelectorAll(":not(svg, g, rect, path, text, title, defs, marker)")) other.remove()
  element.replaceChildren(document.importNode(parsed, true))
  element.dataset.drawn = element.dataset.version
}

function hash(text) {
  let value = 0
  for (let place = 0; place < text.length; place++) value = (value * 31 + text.charCodeAt(place)) | 0
  return String(value)
}

function showTask(box) {
  const id = box.dataset.task
  const { verdicts, row } = lab(id.slice(0, 2))
  const check = verdicts?.checks?.find(one => one.id === id)
  const live = box.querySelector(".lab-task-live")
  for (const name of Object.keys(MARKS)) box.classList.toggle(`lab-task-${name}`, check?.verdict === name)
  box.classList.toggle("lab-task-known", Boolean(row))
  live.hidden = !check
  if (check) {
    const rows = check.details.map(([label, words]) => label === ""
      ? h("p", { class: "lab-says" }, words)
      : h("div", { class: `lab-row${words.startsWith("log: ") ? " lab-row-log" : ""}` }, h("dt", {}, label === "…" ? "" : label), h("dd", {}, words)))
    const says = rows.filter(one => one.tagName === "P")
    const list = rows.filter(one => one.tagName === "DIV")
    fill(live,
      h("p", { class: "lab-verdict", role: "status" }, h("span", { class: `lab-dot lab-dot-${check.verdict}` }, h("span", { "aria-hidden": "true" }, `${MARKS[check.verdict]} `), WORDS[check.verdict]), " ", h("span", { class: "lab-dim" }, `${check.earned} of ${check.points}`)),
      ...says, list.length ? h("dl", { class: "lab-why" }, ...list) : null)
  }
  const taken = row?.hints[id] || 0
  for (const hint of box.querySelectorAll("details.lab-hint")) {
    const level = Number(hint.dataset.hint)
    hint.classList.toggle("lab-hint-taken", level <= taken)
    if (!hint.dataset.heard) {
      hint.dataset.heard = "yes"
      hint.addEventListener("toggle", () => {
        if (hint.open && state.link === "live" && level > (lab(id.slice(0, 2)).row?.hints[id] || 0)) post("hint", { task: id, level })
      })
    }
  }
}

function overview() {
  if (state.link !== "live" && !state.parts.chapters) return [notice()]
  const chapters = state.parts.chapters || []
  const started = chapters.filter(one => state.parts[`lab/${one.chapter}`])
  const blocks = started.map(one => h("section", { class: "lab-panel", "aria-label": `Lab ${one.chapter}` },
    h("h2", {}, h("a", { href: `/${one.page}` }, `${one.chapter} ${one.title}`)), ...panelOf(one.chapter)))
  const rows = chapters.map(one => h("tr", {},
    h("td", {}, one.chapter), h("td", {}, h("a", { href: `/${one.page}` }, one.title)), h("td", {}, (PHASES[one.state] || ["not finished"])[0]), h("td", {}, `${one.earned} of ${one.possible}`)))
  const job = state.parts.job
  const orphan = job && !state.parts[`lab/${job.chapter}`] ? jobView(job) : null
  return [
    notice(), orphan,
    started.length ? null : h("p", {}, "No lab is started. Choose a chapter; its page has a button that starts it, or type ", h("code", {}, "./lab start 02"), "."),
    ...blocks,
    h("h2", {}, "Chapters"),
    h("div", { class: "lab-table", tabindex: "0", role: "group", "aria-label": "Chapters" }, h("table", {}, h("thead", {}, h("tr", {}, ...["", "Chapter", "Lab", "Best result"].map(word => h("th", { scope: "col" }, word || "No.")))), h("tbody", {}, ...rows))),
  ]
}

if (LOCAL) listen()
