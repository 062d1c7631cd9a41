// Light: the colour of the sky and how dark it is, by the hour.
const SKY = [
  [0, "#1d2747"], [4.5, "#243058"], [6, "#7d6f9c"], [6.8, "#f4b48a"], [8, "#bfe0f0"], [12, "#a6d5f2"],
  [17, "#bcdff0"], [18.8, "#f6c087"], [19.8, "#d9827a"], [21, "#3d4173"], [24, "#1d2747"],
];
const TINT = [
  [0, "#98a2d6"], [5, "#a2abd9"], [6.5, "#f6d9c4"], [8, "#ffffff"], [17.5, "#ffffff"],
  [19.2, "#f9d6b3"], [21, "#a0a8d8"], [24, "#98a2d6"],
];
const DARK = [[0, 1], [5.5, 1], [7.5, 0], [18.5, 0], [20.5, 1], [24, 1]];

const rgb = (hex) => [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));

function between(table, hour, mix) {
  const i = table.findIndex(([end]) => end >= hour);
  if (i <= 0) return mix(table[0][1], table[0][1], 0);
  const [from, one] = table[i - 1], [to, other] = table[i];
  return mix(one, other, (hour - from) / (to - from));
}
function mixed(one, other, share) {
  const [a, b] = [rgb(one), rgb(other)];
  return `rgb(${a.map((part, i) => Math.round(lerp(part, b[i], share))).join(",")})`;
}
const skyAt = (hour) => between(SKY, hour, mixed);
const tintAt = (hour) => between(TINT, hour, mixed);
const darkAt = (hour) => between(DARK, hour, lerp);

// The small sky beside the clock: sun and moon on their way.
function paintSky(canvas, hour) {
  const [width, height] = fit(canvas);
  const pen = canvas.getContext("2d");
  const gradient = pen.createLinearGradient(0, 0, 0, height);
  gradient.addColorStop(0, skyAt(hour));
  gradient.addColorStop(1, skyAt(clamp(hour + (hour < 12 ? 0.9 : -0.9), 0, 24)));
  pen.fillStyle = gradient;
  pen.fillRect(0, 0, width, height);
  const dark = darkAt(hour);
  pen.fillStyle = "#ffffff";
  for (let i = 0; i < 26; i++) {
    pen.globalAlpha = dark * (0.35 + 0.65 * hash(i, 3));
    pen.fillRect(hash(i, 1) * width, hash(i, 2) * height * 0.8, 1.3, 1.3);
  }
  pen.globalAlpha = 1;
  const place = (share) => [
    lerp(10, width - 10, share), height * (1.12 - 0.95 * Math.sin(Math.PI * clamp(share, 0, 1))),
  ];
  const sun = (hour - 5.5) / 14.5;
  if (sun > -0.05 && sun < 1.05) {
    const [x, y] = place(sun);
    const glow = pen.createRadialGradient(x, y, 4, x, y, 26);
    glow.addColorStop(0, "#fff3c4cc");
    glow.addColorStop(1, "#fff3c400");
    pen.fillStyle = glow;
    pen.fillRect(0, 0, width, height);
    circle(pen, x, y, 8.5, "#ffd766");
  }
  const moon = (((hour + 24 - 19) % 24) - 0) / 11.5;
  if (moon < 1.03) {
    const [x, y] = place(moon);
    pen.save();
    pen.beginPath();
    pen.arc(x, y, 8, 0, 7);
    pen.clip();
    pen.fillStyle = "#f3efdc";
    pen.fillRect(x - 9, y - 9, 18, 18);
    circle(pen, x + 4.5, y - 3, 7, skyAt(hour));
    pen.restore();
  }
  pen.fillStyle = "#4f6f52";
  pen.globalAlpha = 0.9;
  pen.beginPath();
  pen.moveTo(0, height);
  for (let x = 0; x <= width; x += 4) {
    pen.lineTo(x, height - 5 - 3.5 * Math.sin(x / 21) - 2 * Math.sin(x / 9 + 1));
  }
  pen.lineTo(width, height);
  pen.fill();
  pen.globalAlpha = dark * 0.5;
  pen.fillStyle = "#131a38";
  pen.fill();
  pen.globalAlpha = 1;
}

function hash(x, y) {
  const value = Math.sin(x * 127.1 + y * 311.7) * 43758.5453;
  return value - Math.floor(value);
}

function circle(pen, x, y, radius, fill) {
  pen.beginPath();
  pen.arc(x, y, radius, 0, 2 * Math.PI);
  pen.fillStyle = fill;
  pen.fill();
}

// Gives a canvas as many dots as the screen has; returns its size in pixels of the page.
function fit(canvas) {
  const { clientWidth: width, clientHeight: height } = canvas;
  const dots = devicePixelRatio || 1;
  if (canvas.width !== Math.round(width * dots) || canvas.height !== Math.round(height * dots)) {
    canvas.width = Math.round(width * dots);
    canvas.height = Math.round(height * dots);
  }
  canvas.getContext("2d").setTransform(dots, 0, 0, dots, 0, 0);
  return [width, height];
}
