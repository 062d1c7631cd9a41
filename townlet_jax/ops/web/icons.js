// Pictures of places by purpose, in a box of -1 to 1; a place without one shows the letter of its type.
const ICONS = {
  bed(pen) {
    line(pen, [[-0.62, -0.45], [-0.62, 0.55]], [[-0.62, 0.32], [0.64, 0.32], [0.64, 0.55]]);
    pen.beginPath();
    pen.roundRect(-0.5, -0.16, 0.36, 0.28, 0.08);
    pen.fill();
    pen.beginPath();
    pen.roundRect(-0.06, -0.2, 0.7, 0.36, [0.22, 0.22, 0, 0]);
    pen.fill();
  },
  fridge(pen) {
    pen.beginPath();
    pen.roundRect(-0.38, -0.66, 0.76, 1.32, 0.12);
    pen.stroke();
    line(pen, [[-0.38, -0.12], [0.38, -0.12]], [[-0.14, -0.46], [-0.14, -0.3]], [[-0.14, 0.06], [-0.14, 0.34]]);
  },
  stove(pen) {
    line(pen, [[-0.66, -0.1], [0.66, -0.1]]);
    pen.beginPath();
    pen.roundRect(-0.46, -0.1, 0.92, 0.62, [0, 0, 0.2, 0.2]);
    pen.fill();
    for (const x of [-0.24, 0, 0.24]) {
      pen.beginPath();
      pen.moveTo(x, -0.28);
      pen.quadraticCurveTo(x + 0.12, -0.42, x, -0.52);
      pen.quadraticCurveTo(x - 0.1, -0.62, x + 0.03, -0.74);
      pen.stroke();
    }
  },
  shower(pen) {
    line(pen, [[0.4, 0.66], [0.4, -0.5]]);
    pen.beginPath();
    pen.arc(0.1, -0.44, 0.3, Math.PI, 0);
    pen.stroke();
    pen.beginPath();
    pen.arc(-0.2, -0.2, 0.3, Math.PI, 0);
    pen.fill();
    for (const [x, y] of [[-0.38, 0], [-0.2, 0.08], [-0.02, 0], [-0.42, 0.34], [-0.22, 0.44], [0, 0.34]]) {
      line(pen, [[x, y], [x - 0.03, y + 0.14]]);
    }
  },
  cafe_table(pen) {
    pen.beginPath();
    pen.roundRect(-0.5, -0.22, 0.76, 0.6, [0.06, 0.06, 0.26, 0.26]);
    pen.fill();
    pen.beginPath();
    pen.arc(0.3, 0.02, 0.18, -1.4, 1.5);
    pen.stroke();
    line(pen, [[-0.6, 0.56], [0.4, 0.56]]);
    for (const x of [-0.3, -0.04]) {
      pen.beginPath();
      pen.moveTo(x, -0.36);
      pen.quadraticCurveTo(x + 0.14, -0.5, x + 0.02, -0.66);
      pen.stroke();
    }
  },
  work(pen) {
    pen.beginPath();
    pen.roundRect(-0.58, -0.26, 1.16, 0.82, 0.12);
    pen.stroke();
    pen.beginPath();
    pen.roundRect(-0.22, -0.54, 0.44, 0.28, [0.1, 0.1, 0, 0]);
    pen.stroke();
    line(pen, [[-0.58, 0.08], [-0.1, 0.16]], [[0.58, 0.08], [0.1, 0.16]], [[-0.1, 0.06], [0.1, 0.06], [0.1, 0.26], [-0.1, 0.26], [-0.1, 0.06]]);
  },
  social(pen) {
    line(pen, [[-0.6, -0.4], [0.6, -0.4]], [[-0.6, -0.16], [0.6, -0.16]], [[-0.7, 0.16], [0.7, 0.16]], [[-0.48, 0.16], [-0.48, 0.56]], [[0.48, 0.16], [0.48, 0.56]]);
  },
};

function line(pen, ...lines) {
  pen.beginPath();
  for (const [start, ...rest] of lines) {
    pen.moveTo(...start);
    for (const point of rest) pen.lineTo(...point);
  }
  pen.stroke();
}

// A place as a tile with its icon; pips tell how many of its seats are taken.
function paintPlace(pen, index, x, y, size, taken) {
  const place = about.places[index], colour = palette.places[index], half = size * 0.43;
  pen.save();
  pen.translate(x, y);
  pen.shadowColor = "#2b203040";
  pen.shadowBlur = size * 0.14;
  pen.shadowOffsetY = size * 0.06;
  pen.fillStyle = colour;
  pen.beginPath();
  pen.roundRect(-half, -half, 2 * half, 2 * half, size * 0.2);
  pen.fill();
  pen.shadowColor = "transparent";
  pen.fillStyle = "#ffffff22";
  pen.beginPath();
  pen.roundRect(-half, -half, 2 * half, half * 0.9, [size * 0.2, size * 0.2, 0, 0]);
  pen.fill();
  const seats = place.seats || 0, hasPips = seats > 1;
  pen.fillStyle = pen.strokeStyle = "white";
  const icon = ICONS[place.purpose];
  pen.translate(0, hasPips ? -size * 0.06 : 0);
  if (icon) {
    pen.scale(half * 0.86, half * 0.86);
    pen.lineWidth = 0.15;
    pen.lineCap = pen.lineJoin = "round";
    icon(pen);
  } else {
    pen.font = `700 ${size * 0.5}px ${FONT}`;
    pen.textAlign = "center";
    pen.textBaseline = "middle";
    pen.fillText(place.letter, 0, size * 0.03);
  }
  pen.restore();
  if (!hasPips) return;
  const shown = Math.min(seats, 6), gap = Math.min(size * 0.19, (1.6 * half) / shown);
  for (let i = 0; i < shown; i++) {
    const isTaken = i < Math.ceil((taken * shown) / seats);
    circle(pen, x + (i - (shown - 1) / 2) * gap, y + half * 0.76, size * 0.06, isTaken ? "white" : "#ffffff59");
  }
}
