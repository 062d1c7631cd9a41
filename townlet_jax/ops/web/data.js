// The record: columns are unpacked into typed arrays. docs/replay.md describes the format.
const TYPES = { uint8: Uint8Array, int8: Int8Array, int16: Int16Array, int32: Int32Array };

async function unpack(packed) {
  const squeezed = Uint8Array.from(atob(packed.data), (character) => character.charCodeAt(0));
  const stream = new Blob([squeezed]).stream().pipeThrough(new DecompressionStream("deflate"));
  const values = new TYPES[packed.type](await new Response(stream).arrayBuffer());
  // Differences along the last axis; a typed array wraps around as they do.
  const length = packed.shape[packed.shape.length - 1];
  for (let i = 0; i < values.length; i++) if (i % length) values[i] += values[i - 1];
  return values;
}

async function unpackAll(columns) {
  const names = Object.keys(columns);
  const values = await Promise.all(names.map((name) => unpack(columns[name])));
  return Object.fromEntries(names.map((name, i) => [name, values[i]]));
}

const errors = [];
addEventListener("error", (event) => errors.push(String(event.message)));
addEventListener("unhandledrejection", (event) => errors.push(String(event.reason)));

const palette = JSON.parse(document.getElementById("palette").textContent);
const record = JSON.parse(document.getElementById("replay").textContent);
const about = record.about;
const columns = await unpackAll(record.columns);
const ties = await unpackAll(record.ties);
const [pairs, storyTick, storyTale] = await Promise.all(
  [record.pairs, record.story_tick, record.story_tale].map(unpack),
);
const [A, F] = record.columns.life.shape;
const N = about.needs.length;
const NO_TIE = -128;
const LIFE = { VACANT: 0, ALIVE: 1, LEAVING: 2, COLLAPSED: 3 };
const $ = (id) => document.getElementById(id);
const clamp = (value, low, high) => Math.min(Math.max(value, low), high);
const lerp = (from, to, share) => from + (to - from) * share;
const escaped = (text) =>
  String(text).replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`);
