// Time, controls, keys. `#tick=2000&speed=20&follow=ada&play` in the address opens at a moment.
const SPEEDS = [1, 2, 5, 10, 20, 60];
const player = { tick: FIRST, isPlaying: false, speed: 10, isStale: true, shownTick: -1 };

function goTo(tick) {
  player.tick = clamp(tick, FIRST, LAST);
  player.isStale = true;
}

function play(isPlaying) {
  if (isPlaying && player.tick >= LAST) goTo(FIRST);
  player.isPlaying = isPlaying;
  $("play").innerHTML = icon(isPlaying ? "i-pause" : "i-play");
  $("play").setAttribute("aria-label", isPlaying ? "pause" : "play");
  document.body.dataset.playing = isPlaying;
}

function setSpeed(speed) {
  player.speed = speed;
  for (const button of $("speeds").children) {
    button.setAttribute("aria-pressed", Number(button.dataset.speed) === speed);
  }
}

function follow(a) {
  stage.followed = a;
  whose.value = a ?? -1;
  shownStories = "";
  player.isStale = true;
  $("following").hidden = a === null;
  document.body.dataset.following = a ?? "";
}

for (const speed of SPEEDS) {
  const button = document.createElement("button");
  button.textContent = `${speed}×`;
  button.dataset.speed = speed;
  button.title = `${speed} tick${speed > 1 ? "s" : ""} a second`;
  button.addEventListener("click", () => setSpeed(speed));
  $("speeds").append(button);
}
const hour = about.ticks_per_day / 24;
const step = (ticks) => {
  play(false);
  goTo(Math.round(player.tick) + ticks);
};
$("play").addEventListener("click", () => play(!player.isPlaying));
$("back").addEventListener("click", () => step(-hour));
$("next").addEventListener("click", () => step(hour));
$("ties").addEventListener("change", (event) => (stage.hasTies = event.target.checked));
$("names").addEventListener("change", (event) => (stage.hasNames = event.target.checked));
$("following").addEventListener("click", () => follow(null));

addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.tagName === "SELECT") return;
  const faster = (by) => setSpeed(SPEEDS[clamp(SPEEDS.indexOf(player.speed) + by, 0, SPEEDS.length - 1)]);
  const keys = {
    " ": () => play(!player.isPlaying),
    ArrowLeft: () => step(event.shiftKey ? -hour : -record.stride),
    ArrowRight: () => step(event.shiftKey ? hour : record.stride),
    ArrowUp: () => faster(1),
    ArrowDown: () => faster(-1),
    Home: () => goTo(FIRST),
    End: () => goTo(LAST),
    Escape: () => follow(null),
    t: () => $("ties").click(),
    n: () => $("names").click(),
  };
  if (!keys[event.key]) return;
  event.preventDefault();
  keys[event.key]();
});

// Everything but the canvases; it changes with the tick and not with the picture.
function updatePage(f) {
  const tick = tickOf(f), { day, time } = moment(tick);
  put($("day"), "textContent", `Day ${day}`);
  put($("time"), "textContent", time);
  paintSky($("sky"), hourOf(tick));
  updateCards(f);
  updateTicker(player.tick);
  const inForce = about.perturbations.filter((_, p) => columns.befalls[p * F + f]);
  const colour = ({ kind }) => BEFALLS[kind] ?? palette.ink;
  put(
    $("befalls"), "innerHTML",
    inForce.map((spec) => `<span style="background:${colour(spec)}">${escaped(spec.name.replaceAll("_", " "))}</span>`).join(""),
  );
  if (stage.followed !== null) {
    put($("following"), "innerHTML", `${escaped(nameOf(stage.followed, f))}: ${escaped(doing(stage.followed, f))} <button>let go</button>`);
  }
  document.body.dataset.tick = tick;
}

let before = performance.now();
function draw(now) {
  const seconds = clamp((now - before) / 1000, 0, 0.25);
  before = now;
  if (player.isPlaying) {
    goTo(player.tick + seconds * player.speed);
    if (player.tick >= LAST) play(false);
  }
  const time = frameOf(player.tick), f = clamp(Math.floor(time), 0, F - 1);
  paintStage(time, now, player.isPlaying ? player.speed : 1, seconds);
  paintTrack(player.tick);
  if (player.isStale || f !== player.shownTick) updatePage(f);
  [player.isStale, player.shownTick] = [false, f];
  document.body.dataset.errors = errors.join("; ");
}
function show(now) {
  draw(now);
  requestAnimationFrame(show);
}

function openAt(address) {
  const wish = new URLSearchParams(address.replace(/^#/, ""));
  if (wish.has("tick")) goTo(Number(wish.get("tick")) || FIRST);
  setSpeed(SPEEDS.includes(Number(wish.get("speed"))) ? Number(wish.get("speed")) : 10);
  const person = about.residents.findIndex(({ name }) => name === wish.get("follow"));
  follow(person < 0 ? null : person);
  play(wish.has("play"));
}

const colours = (canvas) => {
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  const found = new Set();
  for (let i = 0; i < data.length; i += 4 * 97) found.add((data[i] << 16) | (data[i + 1] << 8) | data[i + 2]);
  return found.size;
};

// What a browser without a user can be asked with `#selftest`; the answer is in the body's data. It
// draws for itself, because such a browser hardly ever asks for a picture.
function selfTest() {
  let now = before;
  const run = (seconds) => {
    for (const end = now + 1000 * seconds; now < end; ) draw((now += 50));
  };
  const body = document.body.dataset, tick = () => Number(body.tick);
  run(0.1);
  const start = tick();
  play(true);
  run(2);
  play(false);
  const played = tick() - start;
  dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowRight" }));
  run(0.1);
  const stepped = tick() - start - played;
  follow(0);
  run(1);
  body.selftest = JSON.stringify({
    played, stepped, followed: body.following, colours: colours(mapCanvas),
    requests: performance.getEntriesByType("resource").length, errors,
  });
}

put($("title"), "textContent", about.title.replaceAll("_", " "));
const days = (LAST - FIRST + 1) / about.ticks_per_day;
put(
  $("subtitle"), "textContent",
  [
    about.policy && `${about.policy} residents`, about.seed !== null && `seed ${about.seed}`,
    days >= 1 ? `${Number(days.toFixed(1))} day${days >= 1.05 ? "s" : ""}` : `${F} ticks`, about.description,
  ].filter(Boolean).join(" · "),
);
$("legend").innerHTML = [["trust", palette.trust], ["rivalry", palette.rivalry], ["acquainted", palette.acquaintance]]
  .map(([name, colour]) => `<span><i style="border-color:${colour}"></i>${name}</span>`)
  .join("");
openAt(location.hash);
addEventListener("hashchange", () => openAt(location.hash));
requestAnimationFrame(show);
if (location.hash === "#selftest") selfTest();
