"use strict";
// Shows what view_node sends. All words of the graph are set as text, never as HTML.

const PATIENCE_MS = 2000; // without a message for so long, everything here is old
const RETRY_MS = 1000;
const get = (id) => document.getElementById(id);
const make = (tag, text, name) => {
  const element = document.createElement(tag);
  element.textContent = text;
  if (name) element.className = name;
  return element;
};

let socket = null;
let heard = null; // when the last message came, ms
let streams = {}; // age and patience of each stream, as of the last message, s
let silent = null; // seconds for which the graph has been silent, as of that message
let connected = false;
let url = null; // of the picture shown

function connect() {
  socket = new WebSocket(`ws://${location.host}/live`);
  socket.binaryType = "blob";
  socket.onopen = () => { connected = true; };
  socket.onmessage = (event) => {
    heard = performance.now();
    if (typeof event.data !== "string") return showPicture(event.data);
    const message = JSON.parse(event.data);
    if (message.stop) showAnswer(message.stop);
    else if (message.streams) show(message);
  };
  socket.onclose = () => { connected = false; setTimeout(connect, RETRY_MS); };
}

function showPicture(blob) {
  const before = url;
  url = URL.createObjectURL(blob);
  get("picture").src = url;
  if (before) URL.revokeObjectURL(before);
}

function showAnswer(answer) {
  get("answer").textContent = `${answer.ok ? "Stopped" : "NOT CONFIRMED"}: ${answer.text}`;
  get("answer").className = answer.ok ? "" : "bad";
}

function show(state) {
  silent = state.silent;
  document.title = state.title;
  get("title").textContent = state.title;
  streams = state.streams;
  get("request").hidden = !state.request;
  get("request").textContent = state.request;
  get("stop").disabled = !state.can_stop;
  get("stop").title = state.can_stop ? "" : "no arm_node offers to stop";
  showFacts(state);
  showCurves(state);
  get("holds").replaceChildren(...state.holds.map((held) => {
    const where = held.episode === null ? "return to the start" : `episode ${held.episode}, step ${held.step}`;
    const line = make("li", held.reason || "no reason given");
    line.append(make("br", ""), make("small", `${where}, ${held.age.toFixed(0)} s ago`));
    return line;
  }));
  get("nodes").replaceChildren(...state.nodes.map((node) => {
    const row = make("tr", "", node.stale ? "stale" : `level${node.level}`);
    row.append(
      make("td", node.name),
      make("td", node.stale ? `STALE, ${node.age.toFixed(0)} s old: ${node.message}` : node.message),
      make("td", node.values.map(([key, value]) => `${key} ${value}`).join(", ")),
    );
    return row;
  }));
  showAge();
}

function showFacts(state) {
  const facts = [["status", state.status]];
  if (state.episode !== null) facts.push(["episode", String(state.episode)], ["step", `${state.steps.length ? state.steps.at(-1)[0] + 1 : 0} of ${state.horizon}`]);
  const stale = state.streams.arm.stale ? " (STALE)" : "";
  if (state.arm) {
    facts.push(["arm", (state.arm.ready ? "ready" : `not ready: ${state.arm.reason}`) + stale]);
    facts.push(["motion", (state.arm.moving ? "moves" : "rests") + stale]);
  }
  if (state.robot) facts.push(["robot", state.robot.state + (state.robot.homed ? ", homed" : ", not homed")]);
  if (state.tip) {
    const old = state.streams.robot.stale ? " (STALE)" : "";
    facts.push(["tip", `${state.tip.map((x) => x === null ? "-" : (1000 * x).toFixed(1)).join(", ")} mm${old}`]);
  }
  if (state.task) facts.push(["task", state.task.violation ? "VIOLATION" : state.task.success ? "goal reached" : "under way"]);
  get("facts").replaceChildren(...facts.flatMap(([name, text]) => [make("dt", name), make("dd", text)]));
}

function showCurves(state) {
  const newest = state.steps.length ? state.steps.at(-1)[0] : 0;
  const horizon = Math.max(state.horizon, newest + 1);
  const held = state.steps.filter((step) => !step[1]).map((step) => step[0]);
  const curve = (n) => state.steps.filter((step) => step[1] && step[n] !== null).map((step) => [step[0], step[n]]);
  draw(get("probabilities"), horizon, held, 0, 1, [["#ef5350", curve(3)], ["#3fb96b", curve(2)]]);
  const known = curve(4).map((point) => point[1]);
  const low = Math.min(...known, 0), high = Math.max(...known, low + 1);
  get("range").textContent = known.length ? `from ${low.toFixed(1)} to ${high.toFixed(1)}` : "";
  draw(get("value"), horizon, held, low, high, [["#58a6ff", curve(4)]]);
}

function draw(canvas, horizon, held, low, high, lines) {
  const pen = canvas.getContext("2d"), { width, height } = canvas, pad = 8;
  const x = (step) => pad + (step + 0.5) * (width - 2 * pad) / horizon;
  const y = (value) => height - pad - (value - low) / (high - low) * (height - 2 * pad);
  pen.clearRect(0, 0, width, height);
  pen.fillStyle = "#5a4a22";
  for (const step of held) pen.fillRect(x(step - 0.5), 0, Math.max(x(1) - x(0), 2), height);
  for (const [colour, points] of lines) {
    pen.strokeStyle = colour;
    pen.lineWidth = 2.5;
    pen.beginPath();
    points.forEach(([step, value], index) => {
      // a step without a plan, or one that was not heard, leaves a gap
      if (index && points[index - 1][0] === step - 1) pen.lineTo(x(step), y(value));
      else { pen.moveTo(x(step), y(value)); pen.arc(x(step), y(value), 1, 0, 7); }
    });
    pen.stroke();
  }
}

// The page's own clock: nothing else would notice that no messages come any more.
function showAge() {
  const waited = heard === null ? null : performance.now() - heard;
  get("streams").replaceChildren(...Object.entries(streams).map(([name, stream]) => {
    if (stream.age === null) return make("li", `${name}: none`, "never");
    const age = stream.age + (waited || 0) / 1000;
    if (age > stream.patience) return make("li", `${name}: STALE, ${age.toFixed(1)} s old`, "stale");
    return make("li", `${name}: ${age.toFixed(1)} s`);
  }));
  let words = "";
  if (waited === null) words = connected ? "" : "NO CONNECTION to view_node yet";
  else if (!connected || waited > PATIENCE_MS) words = `NO CONNECTION to view_node: all that you see is ${((waited / 1000) + (silent || 0)).toFixed(0)} s old`;
  else if (silent === null) words = "Nothing has been heard of the graph yet";
  else if (silent * 1000 > PATIENCE_MS) words = `THE GRAPH IS SILENT: all that you see is ${silent.toFixed(0)} s old`;
  get("banner").hidden = !words;
  get("banner").textContent = words;
  document.body.classList.toggle("old", Boolean(words));
  if (!connected) get("stop").disabled = true;
}

get("stop").addEventListener("click", () => {
  if (!connected) return;
  get("answer").textContent = "asked arm_node to stop ...";
  get("answer").className = "";
  socket.send("stop");
});
setInterval(showAge, 250);
connect();
