// Names beside people and places, where there is room: below, above, right or left of them.
const SIDES = [[0, 1], [0, -1], [1, 0], [-1, 0]];
const remembered = new Map();

function paintNames(pen, f, spots, toScreen, size, cell) {
  const { clientWidth: right, clientHeight: bottom } = mapCanvas;
  const boxes = [], labels = [];
  const block = (x, y, half) => boxes.push([x - half, y - half, x + half, y + half]);
  for (const a of slots) {
    if (!spots[a]) continue;
    const [x, y] = toScreen(spots[a]);
    block(x, y, size * 0.36);
    if (isAsleep(a, f)) block(x + size * 0.55, y - size * 0.55, size * 0.25);
  }
  for (const place of about.places) block(...toScreen(place), size * 0.4);
  for (const a of slots) {
    const isChosen = a === stage.followed || a === stage.hovered;
    if (!spots[a] || (cell < 17 && !isChosen)) continue;
    const [x, y] = toScreen(spots[a]);
    labels.push({
      key: a, text: nameOf(a, f), x, y, away: size * 0.46, colour: palette.ink, points: clamp(size * 0.39, 10.5, 14),
      weight: isChosen ? 800 : 600, isChosen, sides: SIDES,
    });
  }
  about.places.forEach((place, i) => {
    if (cell < 19) return;
    const [x, y] = toScreen(place);
    labels.push({
      key: place.name, text: place.shown.toLowerCase(), x, y, away: size * 0.45, colour: palette.places[i],
      points: clamp(size * 0.35, 10, 13), weight: 600, sides: [SIDES[1], SIDES[0]],
    });
  });
  labels.sort((one, other) => (other.isChosen ? 1 : 0) - (one.isChosen ? 1 : 0));
  for (const label of labels) {
    const isSeen = label.x > 0 && label.x < right && label.y > 0 && label.y < bottom;
    if (isSeen) paintLabel(pen, label, boxes, right, bottom);
  }
}

// A name keeps its side as long as it can, and fades where there is no room.
function paintLabel(pen, { key, text, x, y, away, colour, points, weight, isChosen, sides }, boxes, right, bottom) {
  const state = remembered.get(key) ?? { side: sides[0], alpha: 0 };
  remembered.set(key, state);
  pen.font = `${weight} ${points}px ${FONT}`;
  const width = pen.measureText(text).width;
  const boxAt = ([across, down]) => {
    const half = width / 2 + 3;
    const u = clamp(x + across * (away + half), half, right - half);
    const v = clamp(y + down * (away + points * 0.6), points * 0.6, bottom - points * 0.6);
    return [u - width / 2 - 1, v - points * 0.5, u + width / 2 + 1, v + points * 0.5];
  };
  const overlaps = (box) =>
    boxes.some((other) => box[0] < other[2] && other[0] < box[2] && box[1] < other[3] && other[1] < box[3]);
  const side = [state.side, ...sides].find((choice) => !overlaps(boxAt(choice)));
  const isShown = side !== undefined || isChosen;
  if (side) state.side = side;
  state.alpha += ((isShown ? 1 : 0) - state.alpha) * (state.isOld ? 0.2 : 1);
  state.isOld = true;
  const box = boxAt(state.side);
  if (isShown) boxes.push(box);
  if (state.alpha < 0.03) return;
  pen.globalAlpha = state.alpha;
  pen.textAlign = "center";
  pen.textBaseline = "middle";
  pen.lineWidth = points * 0.3;
  pen.lineJoin = "round";
  pen.strokeStyle = "#fffdf6d9";
  const [u, v] = [(box[0] + box[2]) / 2, (box[1] + box[3]) / 2];
  pen.strokeText(text, u, v);
  pen.fillStyle = colour;
  pen.fillText(text, u, v);
  pen.globalAlpha = 1;
}
