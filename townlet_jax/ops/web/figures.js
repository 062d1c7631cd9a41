// Residents: where they stand, and how they are drawn.
const FONT = getComputedStyle(document.documentElement).getPropertyValue("--sans");
const places = new Map(about.places.map((place, i) => [place.x * 64 + place.y, i]));

// Where everybody is drawn at a frame [tile]; those who share a cell, or stand at a thing, make a ring.
const spotsAt = (() => {
  const known = new Map();
  let swell = 1;
  const ring = (f) => {
    const cells = new Map();
    for (const a of slots) {
      if (!isHere(a, f)) continue;
      const cell = at("x", a, f) * 64 + at("y", a, f);
      cells.set(cell, [...(cells.get(cell) ?? []), a]);
    }
    const found = new Array(A).fill(null);
    for (const [cell, people] of cells) {
      const [x, y] = [Math.floor(cell / 64), cell % 64];
      const isAtPlace = places.has(cell), number = people.length;
      let radius = isAtPlace ? 0.5 : 0;
      if (number > 1) radius = Math.max(isAtPlace ? 0.62 : 0.45, 0.45 / Math.sin(Math.PI / number));
      radius *= swell;
      people.forEach((a, i) => {
        const angle = number > 1 ? Math.PI * (0.75 + (2 * i) / number) : Math.PI / 4;
        found[a] = { x: x + radius * Math.cos(angle), y: y + radius * Math.sin(angle) };
      });
    }
    return found;
  };
  // Drawing asks for the same two frames again and again.
  return (f) => {
    if (Math.abs(swell - stage.swell) > 0.02) known.clear(), (swell = stage.swell);
    if (!known.has(f)) {
      if (known.size > 3) known.clear();
      known.set(f, ring(f));
    }
    return known.get(f);
  };
})();

// Between two frames everybody moves evenly; who jumps further than people walk is simply there.
function spotsBetween(f, share) {
  const now = spotsAt(f);
  if (share === 0 || f + 1 >= F) return now;
  const before = now, after = spotsAt(f + 1);
  const reach = 1.6 + 1.2 * record.stride;
  return before.map((spot, a) => {
    const next = after[a];
    if (!spot || !next || at("generation", a, f) !== at("generation", a, f + 1)) return spot;
    if (Math.hypot(next.x - spot.x, next.y - spot.y) > reach) return spot;
    return { ...spot, x: lerp(spot.x, next.x, share), y: lerp(spot.y, next.y, share) };
  });
}

function paintPerson(pen, a, f, x, y, size, now, isFollowed) {
  const radius = size * 0.33;
  const { n, level } = lowest(a, f);
  const isLow = level < palette.low;
  pen.save();
  if (isFollowed) {
    const pulse = 0.5 + 0.5 * Math.sin(now / 260);
    pen.beginPath();
    pen.arc(x, y, radius * (1.75 + 0.14 * pulse), 0, 2 * Math.PI);
    pen.fillStyle = palette.residents[a] + "38";
    pen.fill();
    pen.lineWidth = Math.max(1.4, size * 0.05);
    pen.strokeStyle = palette.residents[a];
    pen.stroke();
  }
  if (isLow) {
    const pulse = 0.55 + 0.45 * Math.sin(now / 190 + a);
    const glow = pen.createRadialGradient(x, y, radius * 0.9, x, y, radius * 2);
    glow.addColorStop(0, palette.alarm + "aa");
    glow.addColorStop(1, palette.alarm + "00");
    pen.globalAlpha = pulse;
    pen.fillStyle = glow;
    pen.fillRect(x - 2 * radius, y - 2 * radius, 4 * radius, 4 * radius);
    pen.globalAlpha = 1;
  }
  // The halo: how much is left of the lowest need, in its colour.
  pen.shadowColor = "#1a142055";
  pen.shadowBlur = size * 0.16;
  pen.shadowOffsetY = size * 0.06;
  circle(pen, x, y, radius * 1.3, "white");
  pen.shadowColor = "transparent";
  pen.beginPath();
  pen.arc(x, y, radius * 1.16, -Math.PI / 2, -Math.PI / 2 + 2 * Math.PI * Math.max(level, 0.02));
  pen.lineWidth = radius * 0.22;
  pen.strokeStyle = isLow ? palette.alarm : palette.needs[n];
  pen.stroke();
  const isFallen = at("life", a, f) === LIFE.COLLAPSED;
  circle(pen, x, y, radius, isFallen ? "#7b7f86" : palette.residents[a]);
  pen.fillStyle = "white";
  pen.font = `700 ${radius * (initials[a].length > 1 ? 0.92 : 1.2)}px ${FONT}`;
  pen.textAlign = "center";
  pen.textBaseline = "middle";
  pen.fillText(initials[a], x, y + radius * 0.07);
  const turn = at("turn", a, f);
  if (turn) {
    const [u, v] = [x + radius * 1.05, y - radius * 1.05];
    circle(pen, u, v, radius * 0.62, "white");
    circle(pen, u, v, radius * 0.5, palette.wait);
    pen.fillStyle = "white";
    pen.font = `700 ${radius * 0.72}px ${FONT}`;
    pen.fillText(turn, u, v + radius * 0.05);
  }
  pen.restore();
}

function paintSleep(pen, a, x, y, size, now) {
  pen.textAlign = "center";
  pen.textBaseline = "middle";
  for (let i = 0; i < 3; i++) {
    const share = (now / 2600 + i / 3 + hash(a, 9)) % 1;
    pen.globalAlpha = Math.sin(Math.PI * share);
    const [u, v] = [x + size * (0.4 + 0.34 * share), y - size * (0.3 + 0.62 * share)];
    pen.font = `italic 800 ${Math.max(size * (0.28 + 0.2 * share), 8)}px ${FONT}`;
    pen.lineWidth = 2.5;
    pen.strokeStyle = "#ffffffcc";
    pen.strokeText("z", u, v);
    pen.fillStyle = "#3c4a86";
    pen.fillText("z", u, v);
  }
  pen.globalAlpha = 1;
}

// A speech mark over whoever opens a conversation, and a dotted line to whoever is spoken to.
function paintTalk(pen, spots, story, toScreen, size, now, alpha) {
  const [speaker, listener] = story.people.map((a) => spots[a]);
  if (!speaker || !listener) return;
  const isGood = story.event === "chat_success", colour = isGood ? palette.trust : palette.acquaintance;
  const [x, y] = toScreen(speaker), [u, v] = toScreen(listener);
  pen.save();
  pen.globalAlpha = alpha;
  pen.beginPath();
  pen.moveTo(x, y);
  pen.quadraticCurveTo((x + u) / 2, (y + v) / 2 - size * 0.35, u, v);
  pen.setLineDash([1, size * 0.17]);
  pen.lineCap = "round";
  pen.lineWidth = size * 0.085;
  pen.strokeStyle = colour;
  pen.lineDashOffset = -now / 60;
  pen.stroke();
  pen.setLineDash([]);
  pen.translate(x, y - size * 0.62);
  pen.shadowColor = "#1a142040";
  pen.shadowBlur = 5;
  pen.shadowOffsetY = 1.5;
  pen.fillStyle = "white";
  pen.beginPath();
  pen.roundRect(-size * 0.36, -size * 0.46, size * 0.72, size * 0.48, size * 0.2);
  pen.moveTo(-size * 0.08, 0);
  pen.lineTo(0, size * 0.15);
  pen.lineTo(size * 0.13, 0);
  pen.fill();
  pen.shadowColor = "transparent";
  for (let i = 0; i < 3; i++) {
    const lift = Math.max(0, Math.sin(now / 150 - i)) * size * 0.06;
    circle(pen, (i - 1) * size * 0.19, -size * 0.22 - lift, size * 0.062, colour);
  }
  pen.restore();
}
