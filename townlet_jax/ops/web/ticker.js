// What happened up to now, newest first.
const ROWS = 80;
const wanted = new Set(about.categories.map((_, i) => i).filter((i) => about.categories[i] !== "daily"));
const whose = $("whose");
let shownStories = "";

about.categories.forEach((name, i) => {
  const chip = document.createElement("button");
  chip.textContent = name;
  chip.style.setProperty("--own", palette.stories[i]);
  chip.setAttribute("aria-pressed", wanted.has(i));
  chip.addEventListener("click", () => {
    if (!wanted.delete(i)) wanted.add(i);
    chip.setAttribute("aria-pressed", wanted.has(i));
    shownStories = "";
    player.isStale = true;
  });
  $("chips").append(chip);
});
whose.innerHTML =
  '<option value="-1">everybody</option>' +
  about.residents.map(({ shown }, a) => `<option value="${a}">${escaped(shown)}</option>`).join("");
whose.addEventListener("change", () => {
  shownStories = "";
  player.isStale = true;
});

function updateTicker(tick) {
  const person = Number(whose.value), found = [];
  for (let i = firstStory(tick) - 1; i >= 0 && found.length < ROWS; i--) {
    const story = stories[i];
    if (wanted.has(story.category) && (person < 0 || story.people.includes(person))) found.push(story);
  }
  const fresh = found.filter((story) => story.tick >= tick - 5).length;
  const key = `${found[0]?.i}/${found.length}/${fresh}`;
  if (key === shownStories) return;
  shownStories = key;
  $("ticker").innerHTML = found.length
    ? found.map((story, i) => rowHtml(story, i < fresh)).join("")
    : '<li class="none">Nothing yet. Press play.</li>';
}

function rowHtml({ tick, category, text }, isFresh) {
  const { day, time } = moment(tick), name = about.categories[category];
  return `<li data-tick="${tick}" class="${isFresh ? "is-fresh" : ""} is-${name}" style="--own:${palette.stories[category]}">
    <time>day ${day} ${time}</time><i title="${name}"></i><span>${escaped(text)}</span></li>`;
}

$("ticker").addEventListener("click", (event) => {
  const row = event.target.closest("[data-tick]");
  if (row) goTo(Number(row.dataset.tick) + 1);
});
