// The ground, painted once: an architect's plan with walls as strokes and floors reaching under them.
const TILE = { FLOOR: 0, WALL: 1, DOOR: 2, ROAD: 3, GRASS: 4, OUTDOORS: 5 };
const H = about.ground.length;
const W = about.ground[0].length;
const tile = (x, y) => (x < 0 || y < 0 || x >= W || y >= H ? -1 : Number(about.ground[y][x]));

// The part worth showing: all of the map, but of a bare plain only where something happens.
const view = (() => {
  if (about.ground.some((row) => /[^5]/.test(row))) return { x: 0, y: 0, w: W, h: H };
  const xs = about.places.map((place) => place.x), ys = about.places.map((place) => place.y);
  for (const a of slots) for (let f = 0; f < F; f++) {
    if (isHere(a, f)) xs.push(at("x", a, f)), ys.push(at("y", a, f));
  }
  const least = (values) => Math.max(values.reduce((x, y) => Math.min(x, y), 99) - 3, 0);
  const most = (values, end) => Math.min(values.reduce((x, y) => Math.max(x, y), 0) + 4, end);
  const x = least(xs), y = least(ys);
  return { x, y, w: most(xs, W) - x, h: most(ys, H) - y };
})();

function paintGround(size) {
  const canvas = document.createElement("canvas");
  canvas.width = W * size;
  canvas.height = H * size;
  const pen = canvas.getContext("2d");
  pen.scale(size, size);
  const colour = palette.ground;
  const every = (kind, draw) => {
    for (let y = 0; y < H; y++) for (let x = 0; x < W; x++) if (tile(x, y) === kind) draw(x, y);
  };
  pen.fillStyle = colour[TILE.OUTDOORS];
  pen.fillRect(0, 0, W, H);
  every(TILE.OUTDOORS, (x, y) => {
    speckle(pen, x, y, "#8c8c6a", 0.12, 4);
    if (hash(x * 3.1, y * 1.7) < 0.16) paintTufts(pen, x, y, 2, ["#c3cba6", "#d3d8bd"]);
  });
  every(TILE.GRASS, (x, y) => paintGrass(pen, x, y, colour[TILE.GRASS]));
  every(TILE.ROAD, (x, y) => paintRoad(pen, x, y, colour[TILE.ROAD]));
  // Floors reach to the middle of the walls around them.
  pen.fillStyle = colour[TILE.FLOOR];
  every(TILE.FLOOR, (x, y) => pen.fillRect(x - 0.5, y - 0.5, 2, 2));
  every(TILE.FLOOR, (x, y) => paintPlanks(pen, x, y));
  every(TILE.DOOR, (x, y) => {
    const isFlat = tile(x - 1, y) === TILE.WALL || tile(x + 1, y) === TILE.WALL;
    pen.fillStyle = "#e0cda9";
    if (isFlat) pen.fillRect(x, y + 0.12, 1, 0.76);
    else pen.fillRect(x + 0.12, y, 0.76, 1);
  });
  paintWalls(pen, colour, every);
  return canvas;
}

function speckle(pen, x, y, colour, alpha, number) {
  pen.fillStyle = colour;
  pen.globalAlpha = alpha;
  for (let i = 0; i < number; i++) {
    const [u, v] = [hash(x + i * 7.3, y), hash(x, y + i * 5.1)];
    pen.fillRect(x + u, y + v, 0.05, 0.05);
  }
  pen.globalAlpha = 1;
}

function paintGrass(pen, x, y, colour) {
  pen.fillStyle = colour;
  const r = (u, v) => (tile(x + u, y) !== TILE.GRASS && tile(x, y + v) !== TILE.GRASS ? 0.4 : 0);
  pen.beginPath();
  pen.roundRect(x, y, 1.02, 1.02, [r(-1, -1), r(1, -1), r(1, 1), r(-1, 1)]);
  pen.fill();
  paintTufts(pen, x, y, 5, ["#93b873", "#cfe3b6"]);
}

function paintTufts(pen, x, y, number, colours) {
  pen.lineWidth = 0.045;
  pen.lineCap = "round";
  for (let i = 0; i < number; i++) {
    const u = x + 0.08 + 0.84 * hash(x + i, y * 3.7), v = y + 0.2 + 0.74 * hash(x * 2.3, y + i);
    pen.strokeStyle = colours[i % 2];
    pen.beginPath();
    pen.moveTo(u - 0.06, v);
    pen.quadraticCurveTo(u - 0.03, v - 0.1, u - 0.07, v - 0.16);
    pen.moveTo(u + 0.02, v);
    pen.quadraticCurveTo(u + 0.03, v - 0.1, u + 0.08, v - 0.14);
    pen.stroke();
  }
}

function paintRoad(pen, x, y, colour) {
  pen.fillStyle = colour;
  pen.fillRect(x, y, 1.01, 1.01);
  speckle(pen, x, y, "#7f7c76", 0.16, 4);
  const isRoad = (u, v) => [TILE.ROAD, -1].includes(tile(x + u, y + v));
  pen.fillStyle = "#b3afa8";
  if (!isRoad(0, -1)) pen.fillRect(x, y, 1.01, 0.07);
  if (!isRoad(0, 1)) pen.fillRect(x, y + 0.94, 1.01, 0.07);
  if (!isRoad(-1, 0)) pen.fillRect(x, y, 0.05, 1.01);
  if (!isRoad(1, 0)) pen.fillRect(x + 0.95, y, 0.05, 1.01);
  // A broken line in the middle of a road of two lanes.
  pen.fillStyle = "#f7f5ef";
  const isUpper = isRoad(0, 1) && !isRoad(0, -1) && !isRoad(0, 2);
  const isLeft = isRoad(1, 0) && !isRoad(-1, 0) && !isRoad(2, 0);
  if (isUpper && x % 2 === 0 && !isLeft) pen.fillRect(x + 0.2, y + 0.97, 0.9, 0.06);
  if (isLeft && y % 2 === 0 && !isUpper) pen.fillRect(x + 0.97, y + 0.2, 0.06, 0.9);
}

function paintPlanks(pen, x, y) {
  pen.strokeStyle = "#cdb791";
  pen.globalAlpha = 0.5;
  pen.lineWidth = 0.022;
  pen.beginPath();
  for (let i = 0; i < 3; i++) {
    const v = y + i / 3;
    pen.moveTo(x, v);
    pen.lineTo(x + 1, v);
    const u = x + 0.15 + 0.7 * hash(x * 1.7 + i, y * 2.9);
    pen.moveTo(u, v);
    pen.lineTo(u, v + 1 / 3);
  }
  pen.stroke();
  pen.globalAlpha = 1;
}

function paintWalls(pen, colour, every) {
  const isWall = (x, y) => tile(x, y) === TILE.WALL;
  const isBuilt = (x, y) => isWall(x, y) || tile(x, y) === TILE.DOOR;
  const walls = new Path2D(), doors = new Path2D();
  every(TILE.WALL, (x, y) => {
    walls.moveTo(x + 0.5, y + 0.5);
    walls.lineTo(x + 0.5001, y + 0.5);
    // Up to the frame of a door, and from middle to middle of walls.
    if (isBuilt(x + 1, y)) walls.moveTo(x + 0.5, y + 0.5), walls.lineTo(x + (isWall(x + 1, y) ? 1.5 : 1), y + 0.5);
    if (isBuilt(x, y + 1)) walls.moveTo(x + 0.5, y + 0.5), walls.lineTo(x + 0.5, y + (isWall(x, y + 1) ? 1.5 : 1));
    if (tile(x - 1, y) === TILE.DOOR) walls.moveTo(x + 0.5, y + 0.5), walls.lineTo(x, y + 0.5);
    if (tile(x, y - 1) === TILE.DOOR) walls.moveTo(x + 0.5, y + 0.5), walls.lineTo(x + 0.5, y);
  });
  every(TILE.DOOR, (x, y) => {
    const isFlat = isWall(x - 1, y) || isWall(x + 1, y);
    doors.moveTo(...(isFlat ? [x + 0.08, y + 0.5] : [x + 0.5, y + 0.08]));
    doors.lineTo(...(isFlat ? [x + 0.92, y + 0.5] : [x + 0.5, y + 0.92]));
  });
  pen.lineCap = "butt";
  pen.strokeStyle = colour[TILE.DOOR];
  pen.lineWidth = 0.2;
  pen.stroke(doors);
  pen.strokeStyle = "#ffffff66";
  pen.lineWidth = 0.06;
  pen.stroke(doors);
  pen.lineCap = "square";
  pen.lineJoin = "miter";
  pen.save();
  pen.translate(0.07, 0.12);
  pen.strokeStyle = "#3a2f4a30";
  pen.lineWidth = 0.4;
  pen.stroke(walls);
  pen.restore();
  pen.strokeStyle = colour[TILE.WALL];
  pen.lineWidth = 0.36;
  pen.stroke(walls);
  pen.translate(-0.02, -0.045);
  pen.strokeStyle = "#7d7789";
  pen.lineWidth = 0.2;
  pen.stroke(walls);
  pen.translate(0.02, 0.045);
}
