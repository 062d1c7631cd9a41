// The map on the screen: camera, light, places, people, ties.
const LEAST = 21; // people and things are drawn as if a cell had at least so many pixels
const stage = { followed: null, hovered: null, hasTies: true, hasNames: true, swell: 1 };
const mapCanvas = $("map");
const camera = { x: view.x + view.w / 2, y: view.y + view.h / 2, zoom: 1 };
const ground = paintGround(clamp(Math.floor(3000 / Math.max(W, H)), 16, 72));
const shade = document.createElement("canvas");
let lastSpots = [], lastScreen = null;
$("stage").style.setProperty("--aspect", view.w / view.h);

// Turns the camera to the whole town or to whoever is followed; returns the size of a cell.
function aim(width, height, spots, seconds) {
  const base = Math.min(width / view.w, height / view.h);
  const spot = stage.followed === null ? null : spots[stage.followed];
  const ease = camera.isOld ? 1 - Math.exp(-7 * seconds) : 1;
  camera.isOld = true;
  camera.zoom = lerp(camera.zoom, spot ? clamp(40 / base, 1.4, 4) : 1, ease);
  const size = base * camera.zoom;
  // The edge of the town stays at the edge of the picture.
  const keep = (centre, half, from, length) =>
    2 * half >= length ? from + length / 2 : clamp(centre, from + half, from + length - half);
  const x = spot ? spot.x + 0.5 : view.x + view.w / 2, y = spot ? spot.y + 0.5 : view.y + view.h / 2;
  camera.x = keep(lerp(camera.x, x, ease), width / 2 / size, view.x, view.w);
  camera.y = keep(lerp(camera.y, y, ease), height / 2 / size, view.y, view.h);
  return size;
}

function paintStage(time, now, speed, seconds) {
  const [width, height] = fit(mapCanvas);
  if (!width || !height) return;
  const pen = mapCanvas.getContext("2d");
  const f = clamp(Math.floor(time), 0, F - 1), share = clamp(time - f, 0, 1);
  const spots = spotsBetween(f, share);
  const size = aim(width, height, spots, seconds), unit = Math.max(size, LEAST);
  stage.swell = unit / size;
  const toScreen = ({ x, y }) => [
    width / 2 + (x + 0.5 - camera.x) * size, height / 2 + (y + 0.5 - camera.y) * size,
  ];
  [lastSpots, lastScreen] = [spots, { toScreen, size: unit, f }];
  const hour = hourOf(tickOf(f) + share * record.stride);
  const [left, top] = toScreen({ x: view.x - 0.5, y: view.y - 0.5 });
  pen.fillStyle = "#dcdccb";
  pen.fillRect(0, 0, width, height);
  const scale = ground.width / W;
  pen.drawImage(
    ground, view.x * scale, view.y * scale, view.w * scale, view.h * scale,
    left, top, view.w * size, view.h * size,
  );
  const users = usersOf(f);
  paintNight(pen, width, height, toScreen, size, hour, users, f);
  about.places.forEach((place, i) => paintPlace(pen, i, ...toScreen(place), unit, users[i].length));
  if (stage.hasTies) paintTies(pen, f, spots, toScreen, unit);
  paintLinks(pen, f, spots, toScreen, unit);
  if (stage.followed !== null) paintTrail(pen, f, toScreen, size);
  const order = slots.filter((a) => spots[a]).sort((a, b) => spots[a].y - spots[b].y);
  for (const a of order) paintPerson(pen, a, f, ...toScreen(spots[a]), unit, now, a === stage.followed);
  if (stage.hasNames) paintNames(pen, f, spots, toScreen, unit, size);
  for (const a of order) if (isAsleep(a, f)) paintSleep(pen, a, ...toScreen(spots[a]), unit, now);
  const tick = tickOf(f) + share * record.stride, span = Math.max(3, speed * 0.9);
  for (const story of talksAt(tick, span)) {
    const alpha = clamp((1 - (tick - story.tick) / span) * 3, 0, 1);
    paintTalk(pen, spots, story, toScreen, unit, now, alpha);
  }
}

// Who uses or holds a seat of each place.
function usersOf(f) {
  const users = about.places.map(() => []);
  for (const a of slots) {
    const row = at("using", a, f) >= 0 ? at("using", a, f) : at("holds", a, f);
    if (isHere(a, f) && row >= 0) users[about.rows[row]].push(a);
  }
  return users;
}

const isInForce = (kind, f) =>
  about.perturbations.some((spec, p) => spec.kind === kind && columns.befalls[p * F + f]);

// The dark lies over the ground and not over people and places; those in use are lit while there is power.
function paintNight(pen, width, height, toScreen, size, hour, users, f) {
  const dark = darkAt(hour), isOut = isInForce("blackout", f);
  if (tintAt(hour) === "rgb(255,255,255)" && !isOut) return;
  const coarse = 0.25;
  shade.width = Math.ceil(width * coarse);
  shade.height = Math.ceil(height * coarse);
  const brush = shade.getContext("2d");
  brush.fillStyle = isOut ? mixed("#d6dae8", "#7d86b2", dark) : tintAt(hour);
  brush.fillRect(0, 0, shade.width, shade.height);
  brush.scale(coarse, coarse);
  about.places.forEach((place, i) => {
    if (isOut || !users[i].length || place.purpose === "bed") return;
    const [x, y] = toScreen(place);
    const glow = brush.createRadialGradient(x, y, 0, x, y, size * 3.8);
    glow.addColorStop(0, "#fff3d2");
    glow.addColorStop(0.4, "#ffe9bdc0");
    glow.addColorStop(1, "#ffd9a000");
    brush.globalAlpha = dark;
    brush.fillStyle = glow;
    brush.fillRect(x - 4 * size, y - 4 * size, 8 * size, 8 * size);
  });
  brush.globalAlpha = 1;
  pen.globalCompositeOperation = "multiply";
  pen.imageSmoothingEnabled = true;
  pen.drawImage(shade, 0, 0, width, height);
  pen.globalCompositeOperation = "source-over";
}

function paintTies(pen, f, spots, toScreen, size) {
  pen.save();
  pen.lineCap = "round";
  for (const bond of bonds(feelings(f), stage.followed)) {
    if (!spots[bond.a] || !spots[bond.b]) continue;
    const [x, y] = toScreen(spots[bond.a]), [u, v] = toScreen(spots[bond.b]);
    const weight = Math.min(bond.strength, 1.5) / 1.5, bend = 0.13;
    pen.beginPath();
    pen.moveTo(x, y);
    pen.quadraticCurveTo((x + u) / 2 + (y - v) * bend, (y + v) / 2 + (u - x) * bend, u, v);
    const thick = (0.9 + 3.1 * weight) * clamp(size / 28, 0.6, 1.5);
    pen.globalAlpha = 0.55;
    pen.strokeStyle = "#fffdf6";
    pen.lineWidth = thick + 1.8;
    pen.stroke();
    pen.globalAlpha = 0.4 + 0.45 * weight;
    pen.strokeStyle = bondColour(bond);
    pen.lineWidth = thick;
    pen.stroke();
  }
  pen.restore();
}

// Who uses a thing, and who waits for it.
function paintLinks(pen, f, spots, toScreen, size) {
  pen.save();
  pen.strokeStyle = pen.fillStyle = palette.wait;
  for (const a of slots) {
    if (!spots[a]) continue;
    const row = at("using", a, f) >= 0 ? at("using", a, f) : at("holds", a, f);
    const waits = at("waits", a, f);
    if (row < 0 && waits < 0) continue;
    const [x, y] = toScreen(spots[a]), [u, v] = toScreen(placeOf(row >= 0 ? row : waits));
    const length = Math.hypot(u - x, v - y);
    if (length < size * 0.75) continue;
    const stop = 1 - (size * 0.46) / length;
    pen.globalAlpha = row >= 0 ? 0.55 : 0.8;
    pen.setLineDash(row >= 0 ? [] : [size * 0.14, size * 0.12]);
    pen.lineWidth = Math.max(1.2, size * (row >= 0 ? 0.07 : 0.05));
    pen.beginPath();
    pen.moveTo(x, y);
    pen.lineTo(lerp(x, u, stop), lerp(y, v, stop));
    pen.stroke();
    if (row >= 0) continue;
    const angle = Math.atan2(v - y, u - x), head = size * 0.2;
    pen.setLineDash([]);
    pen.beginPath();
    pen.moveTo(lerp(x, u, stop), lerp(y, v, stop));
    for (const turn of [2.7, -2.7]) {
      pen.lineTo(lerp(x, u, stop) + head * Math.cos(angle + turn), lerp(y, v, stop) + head * Math.sin(angle + turn));
    }
    pen.fill();
  }
  pen.restore();
}

// Where the followed resident came from in the last hour.
function paintTrail(pen, f, toScreen, size) {
  const a = stage.followed, length = Math.ceil(60 / record.stride);
  pen.save();
  pen.strokeStyle = palette.residents[a];
  pen.lineWidth = size * 0.12;
  pen.lineCap = "round";
  for (let g = Math.max(1, f - length); g <= f; g++) {
    const isSame = isHere(a, g) && isHere(a, g - 1) && at("generation", a, g) === at("generation", a, g - 1);
    if (!isSame) continue;
    const here = { x: at("x", a, g), y: at("y", a, g) }, there = { x: at("x", a, g - 1), y: at("y", a, g - 1) };
    if (here.x === there.x && here.y === there.y) continue;
    pen.globalAlpha = 0.08 + 0.4 * (1 - (f - g) / length);
    pen.beginPath();
    pen.moveTo(...toScreen(there));
    pen.lineTo(...toScreen(here));
    pen.stroke();
  }
  pen.restore();
}

// What is under the pointer: a resident before a place.
function under(px, py) {
  if (!lastScreen) return null;
  const { toScreen, size } = lastScreen;
  let found = null, least = size * 0.5;
  lastSpots.forEach((spot, a) => {
    if (!spot) return;
    const [x, y] = toScreen(spot), distance = Math.hypot(px - x, py - y);
    if (distance < least) [found, least] = [{ person: a }, distance];
  });
  if (found) return found;
  for (const [i, place] of about.places.entries()) {
    const [x, y] = toScreen(place);
    if (Math.max(Math.abs(px - x), Math.abs(py - y)) < size * 0.45) return { place: i };
  }
  return null;
}

function hintFor(thing) {
  const { f } = lastScreen;
  if (thing.person !== undefined) {
    const a = thing.person;
    return `<b>${escaped(nameOf(a, f))}</b>${escaped(doing(a, f))}`;
  }
  const place = about.places[thing.place], users = usersOf(f)[thing.place];
  const waiting = slots.filter((a) => at("waits", a, f) >= 0 && about.rows[at("waits", a, f)] === thing.place);
  const load = place.seats ? ` ${users.length}/${place.seats}` : "";
  const lines = [`<b>${escaped(place.shown)}${load}</b>${escaped(place.type.replaceAll("_", " "))}`];
  if (users.length) lines.push(escaped(users.map((a) => nameOf(a, f)).join(", ")));
  if (waiting.length) lines.push("in line: " + escaped(waiting.map((a) => nameOf(a, f)).join(", ")));
  return lines.join("<br>");
}

mapCanvas.addEventListener("pointermove", (event) => {
  const thing = under(event.offsetX, event.offsetY), hint = $("hint");
  stage.hovered = thing?.person ?? null;
  mapCanvas.style.cursor = thing?.person !== undefined ? "pointer" : "default";
  hint.hidden = !thing;
  if (!thing) return;
  hint.innerHTML = hintFor(thing);
  hint.style.left = `${Math.min(event.offsetX, mapCanvas.clientWidth - 200)}px`;
  hint.style.top = `${Math.min(event.offsetY, mapCanvas.clientHeight - 80)}px`;
});
mapCanvas.addEventListener("pointerleave", () => {
  stage.hovered = null;
  $("hint").hidden = true;
});
mapCanvas.addEventListener("click", (event) => {
  const thing = under(event.offsetX, event.offsetY);
  follow(thing?.person === stage.followed ? null : thing?.person ?? null);
});
