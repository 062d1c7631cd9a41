// What the record says about a resident or a place at a frame; f is a frame, a is a slot.
const at = (name, a, f) => columns[name][a * F + f];
const need = (n, a, f) => columns.needs[(n * A + a) * F + f] / 100;
const isHere = (a, f) => at("life", a, f) !== LIFE.VACANT;
const slots = Array.from({ length: A }, (_, a) => a);
const tickOf = (f) => record.first_tick + f * record.stride;
const frameOf = (tick) => (tick - record.first_tick) / record.stride;

function moment(tick) {
  const day = Math.floor(tick / about.ticks_per_day);
  const minute = Math.floor(((tick - day * about.ticks_per_day) * 1440) / about.ticks_per_day);
  const two = (number) => String(number).padStart(2, "0");
  return { day: day + 1, time: `${two(Math.floor(minute / 60))}:${two(minute % 60)}` };
}
const hourOf = (tick) => ((tick % about.ticks_per_day) * 24) / about.ticks_per_day;

function nameOf(a, f) {
  const generation = at("generation", a, f);
  return about.residents[a].shown + (generation ? `#${generation}` : "");
}

const initials = (() => {
  const first = about.residents.map((resident) => resident.shown[0].toUpperCase());
  if (new Set(first).size === first.length) return first;
  const two = about.residents.map(({ shown }) => {
    const number = shown.match(/\d+$/);
    return number ? number[0] : shown.slice(0, 1).toUpperCase() + shown.slice(1, 2);
  });
  return two;
})();

function lowest(a, f) {
  let least = 0;
  for (let n = 1; n < N; n++) if (need(n, a, f) < need(least, a, f)) least = n;
  return { n: least, level: need(least, a, f) };
}

const placeOf = (row) => about.places[about.rows[row]];
const isAsleep = (a, f) =>
  at("affordance", a, f) >= 0 && at("using", a, f) >= 0 && placeOf(at("using", a, f)).purpose === "bed";

function ordinal(number) {
  const ending = { 1: "st", 2: "nd", 3: "rd" }[number % 10];
  return number + (ending && ![11, 12, 13].includes(number % 100) ? ending : "th");
}

function doing(a, f) {
  const life = at("life", a, f);
  if (life === LIFE.VACANT) return "nobody lives here";
  if (life === LIFE.COLLAPSED) return "has collapsed";
  if (life === LIFE.LEAVING) return "is leaving town";
  const partner = partnerOf(a, tickOf(f));
  const affordance = at("affordance", a, f);
  const row = at("using", a, f);
  if (affordance >= 0) {
    const words = about.affordances[affordance].words;
    const where = row < 0 ? "" : ` at ${placeOf(row).shown.toLowerCase()}`;
    return words + where + (partner === null ? "" : `, talking with ${nameOf(partner, f)}`);
  }
  if (partner !== null) return `talking with ${nameOf(partner, f)}`;
  if (at("waits", a, f) >= 0) {
    const place = placeOf(at("waits", a, f)).shown.toLowerCase();
    return `waiting for ${place} (${ordinal(at("turn", a, f))})`;
  }
  if (at("holds", a, f) >= 0) return `about to use ${placeOf(at("holds", a, f)).shown.toLowerCase()}`;
  const action = at("action", a, f);
  return action < 0 ? "just arrived" : about.actions[action].words;
}

function work(a, f) {
  const job = at("job", a, f);
  if (job < 0 || !about.jobs[job]) return "no job";
  const words = {
    pre_shift: "shift later", await_start: "shift soon", on_time: "on shift", late: "late on shift",
    absent: "missing a shift", post_shift: "off work", arriving: "just hired",
  };
  const status = about.statuses[at("status", a, f)];
  return `${about.jobs[job].shown} · ${words[status] ?? status}`;
}

// Ties: what each resident feels about each other one, as of the last look.
const D = pairs.length / 2;
const G = ties.trust.length / Math.max(D, 1);

function feelings(f) {
  const look = clamp(Math.floor(f / record.tie_stride), 0, G - 1);
  const found = [];
  for (let d = 0; d < D; d++) {
    const trust = ties.trust[d * G + look];
    if (trust === NO_TIE) continue;
    found.push({
      from: pairs[d], to: pairs[D + d], trust: trust / 100,
      familiarity: ties.familiarity[d * G + look] / 100, rivalry: ties.rivalry[d * G + look] / 100,
    });
  }
  return found;
}

function friendAndRival(a, felt) {
  let friend = null, rival = null;
  for (const tie of felt) {
    if (tie.from !== a) continue;
    const warmth = tie.trust + tie.familiarity;
    if (warmth > 0 && (!friend || warmth > friend.warmth)) friend = { ...tie, warmth };
    const isRival = tie.rivalry >= about.min_rivalry;
    if (isRival && (!rival || tie.rivalry > rival.rivalry)) rival = tie;
  }
  return { friend, rival };
}

// The mean of both directions, strongest first, and of these the ones that are worth a line.
function bonds(felt, followed) {
  const joined = new Map();
  for (const tie of felt) {
    const [a, b] = [Math.min(tie.from, tie.to), Math.max(tie.from, tie.to)];
    const bond = joined.get(a * A + b) ?? { a, b, trust: 0, familiarity: 0, rivalry: 0 };
    for (const level of ["trust", "familiarity", "rivalry"]) bond[level] += tie[level] / 2;
    joined.set(a * A + b, bond);
  }
  const sum = (bond) => Math.abs(bond.trust) + Math.abs(bond.familiarity) + Math.abs(bond.rivalry);
  const all = [...joined.values()].map((bond) => ({ ...bond, strength: sum(bond) }));
  all.sort((one, other) => other.strength - one.strength);
  if (followed !== null) return all.filter((bond) => bond.a === followed || bond.b === followed);
  const count = new Array(A).fill(0);
  return all.filter(({ a, b, strength }) => {
    const isShown = strength >= palette.min_bond && Math.min(count[a], count[b]) < palette.ties_each;
    if (isShown) count[a]++, count[b]++;
    return isShown;
  });
}

function bondColour(bond) {
  if (bond.rivalry > Math.max(bond.trust, 0) || bond.trust < 0) return palette.rivalry;
  return bond.trust >= 0.05 ? palette.trust : palette.acquaintance;
}

// Stories in order of time; index of the first at or after a tick.
const tales = record.tales.map(([category, event, text, people]) => ({ category, event, text, people }));
const stories = Array.from(storyTick, (tick, i) => ({ tick, i, ...tales[storyTale[i]] }));

function firstStory(tick) {
  let low = 0, high = stories.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (stories[middle].tick < tick) low = middle + 1;
    else high = middle;
  }
  return low;
}

const talks = stories.filter((story) => story.event.startsWith("chat_"));

// Conversations that are to be seen at a moment: those of the last so many ticks.
function talksAt(tick, span) {
  let low = 0, high = talks.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (talks[middle].tick < tick - span) low = middle + 1;
    else high = middle;
  }
  const found = [];
  for (let i = low; i < talks.length && talks[i].tick < tick; i++) found.push(talks[i]);
  return found;
}

function partnerOf(a, tick) {
  for (const { people } of talksAt(tick, 2)) {
    if (people[0] === a) return people[1];
    if (people[1] === a) return people[0];
  }
  return null;
}

const NOTABLE = new Set(["queue_conflict", "rent_missed", "queue_avoided"]);
const isNotable = ({ category, event }) =>
  ["life", "work", "town"].includes(about.categories[category]) || NOTABLE.has(event);
