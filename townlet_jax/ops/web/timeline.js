// The track: what happened when, day and night, days, where we are.
const track = $("track");
const trackCanvas = track.querySelector("canvas");
const backdrop = document.createElement("canvas");
const FIRST = record.first_tick, LAST = tickOf(F - 1);
const SPAN = Math.max(LAST - FIRST, 1);
const SKY_TOP = 36, SKY_HEIGHT = 20, BARS_TOP = 9;
const pins = stories.filter(isNotable);
const toX = (tick, width) => 8 + ((tick - FIRST) / SPAN) * (width - 16);
const toTick = (x, width) => clamp(FIRST + ((x - 8) / (width - 16)) * SPAN, FIRST, LAST);

function paintBackdrop(width, height, dots) {
  backdrop.width = width * dots;
  backdrop.height = height * dots;
  const pen = backdrop.getContext("2d");
  pen.scale(dots, dots);
  pen.save();
  pen.beginPath();
  pen.roundRect(toX(FIRST, width), SKY_TOP, width - 16, SKY_HEIGHT, 6);
  pen.clip();
  for (let x = 8; x < width - 8; x++) {
    pen.fillStyle = skyAt(hourOf(toTick(x, width)));
    pen.fillRect(x, SKY_TOP, 1.5, SKY_HEIGHT);
  }
  paintBefalls(pen, width);
  pen.restore();
  paintBars(pen, width);
  paintDays(pen, width);
  for (const pin of pins) {
    const x = toX(pin.tick, width), y = 5;
    pen.fillStyle = palette.stories[pin.category];
    pen.beginPath();
    pen.moveTo(x, y + 5);
    pen.lineTo(x - 3.4, y);
    pen.lineTo(x, y - 4);
    pen.lineTo(x + 3.4, y);
    pen.fill();
  }
}

// How much happened, by category; what everybody does every day is left out.
function paintBars(pen, width) {
  const step = 4, number = Math.floor((width - 16) / step);
  const bins = Array.from({ length: number }, () => new Array(about.categories.length).fill(0));
  for (const { tick, category } of stories) {
    if (about.categories[category] === "daily") continue;
    bins[clamp(Math.floor(((tick - FIRST) / SPAN) * number), 0, number - 1)][category]++;
  }
  const sums = bins.map((bin) => bin.reduce((sum, count) => sum + count, 0));
  const high = Math.max(...sums, 4), room = SKY_TOP - 3 - BARS_TOP;
  bins.forEach((bin, i) => {
    let y = SKY_TOP - 2;
    bin.forEach((count, category) => {
      const height = (count / high) * room;
      if (!count) return;
      pen.fillStyle = palette.stories[category];
      pen.globalAlpha = 0.8;
      pen.fillRect(8 + i * step, y - height, step - 1, height);
      y -= height;
    });
  });
  pen.globalAlpha = 1;
}

function paintDays(pen, width) {
  const day = about.ticks_per_day, first = Math.floor(FIRST / day), wide = (day / SPAN) * (width - 16);
  pen.font = `600 10.5px ${FONT}`;
  pen.textBaseline = "middle";
  for (let d = first; d * day <= LAST; d++) {
    const x = toX(Math.max(d * day, FIRST), width);
    pen.fillStyle = "#ffffffb0";
    if (d * day > FIRST) pen.fillRect(x - 0.5, SKY_TOP, 1, SKY_HEIGHT);
    if (wide < 46 && d % Math.ceil(46 / wide)) continue;
    pen.fillStyle = "#ffffffe6";
    pen.textAlign = "left";
    pen.fillText(`Day ${d + 1}`, x + 7, SKY_TOP + SKY_HEIGHT / 2 + 0.5);
    for (const hour of wide > 420 ? [6, 12, 18] : wide > 150 ? [12] : []) {
      const tick = d * day + (hour * day) / 24;
      if (tick < FIRST || tick > LAST) continue;
      pen.fillStyle = darkAt(hour) > 0.5 ? "#ffffffb0" : "#24292f99";
      pen.textAlign = "center";
      pen.fillText(`${hour}:00`, toX(tick, width), SKY_TOP + SKY_HEIGHT / 2 + 0.5);
    }
  }
}

const BEFALLS = { blackout: "#11162c", outage: "#2f6fb0", price_spike: "#d99a2b", arranged_meet: "#8e6bb5" };

function paintBefalls(pen, width) {
  about.perturbations.forEach(({ kind }, p) => {
    pen.fillStyle = BEFALLS[kind] ?? palette.ink;
    for (let f = 0; f < F; f++) {
      if (!columns.befalls[p * F + f]) continue;
      const x = toX(tickOf(f), width);
      pen.fillRect(x, SKY_TOP + SKY_HEIGHT - 5, Math.max(toX(tickOf(f) + record.stride, width) - x, 1.5), 5);
    }
  });
}

function paintTrack(tick) {
  const [width, height] = fit(trackCanvas), dots = devicePixelRatio || 1;
  if (!width) return;
  if (backdrop.width !== Math.round(width * dots)) paintBackdrop(width, height, dots);
  const pen = trackCanvas.getContext("2d");
  pen.clearRect(0, 0, width, height);
  pen.drawImage(backdrop, 0, 0, width, height);
  const x = toX(tick, width);
  pen.fillStyle = "#f5f2ea";
  pen.globalAlpha = 0.5;
  pen.fillRect(x, 0, width - x, SKY_TOP - 1);
  pen.globalAlpha = 1;
  pen.fillStyle = palette.ink;
  pen.fillRect(x - 1, 2, 2, height - 6);
  circle(pen, x, SKY_TOP + SKY_HEIGHT / 2, 9, "white");
  circle(pen, x, SKY_TOP + SKY_HEIGHT / 2, 6.5, palette.ink);
  track.setAttribute("aria-valuenow", Math.round(tick));
  track.setAttribute("aria-valuetext", `day ${moment(tick).day} ${moment(tick).time}`);
}
track.setAttribute("aria-valuemin", FIRST);
track.setAttribute("aria-valuemax", LAST);

function hoverTrack(event) {
  const { width, left } = track.getBoundingClientRect(), x = event.clientX - left;
  const tick = toTick(x, width), near = (6 / (width - 16)) * SPAN, bubble = $("bubble");
  const pin = pins.reduce((best, story) => {
    const distance = Math.abs(story.tick - tick);
    return distance < near && (!best || distance < Math.abs(best.tick - tick)) ? story : best;
  }, null);
  const { day, time } = moment(Math.round(pin ? pin.tick : tick));
  bubble.hidden = false;
  bubble.textContent = `day ${day}, ${time}${pin ? ` – ${pin.text}` : ""}`;
  const half = bubble.offsetWidth / 2;
  bubble.style.left = `${clamp(x, half, width - half)}px`;
}

track.addEventListener("pointerdown", (event) => {
  track.setPointerCapture(event.pointerId);
  goTo(toTick(event.clientX - track.getBoundingClientRect().left, track.clientWidth));
});
track.addEventListener("pointermove", (event) => {
  hoverTrack(event);
  if (event.buttons) goTo(toTick(event.clientX - track.getBoundingClientRect().left, track.clientWidth));
});
track.addEventListener("pointerleave", () => ($("bubble").hidden = true));
