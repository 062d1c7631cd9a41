// A card per resident.
const ICON_OF = { hunger: "i-hunger", hygiene: "i-hygiene", energy: "i-energy" };
const icon = (name) => `<svg aria-hidden="true"><use href="#${name}"/></svg>`;

const cards = slots.map((a) => {
  const card = document.createElement("button");
  card.className = "card";
  card.style.setProperty("--own", palette.residents[a]);
  card.innerHTML = `
    <span class="disc">${escaped(initials[a])}</span>
    <span class="who"><b></b><span></span></span>
    <span class="purse" title="money">${icon("i-coin")}<span></span></span>
    <span class="doing"></span>
    <span class="needs">${about.needs
      .map(
        (name, n) => `<span class="need" title="${escaped(name)}" style="color:${palette.needs[n]}">
          ${icon(ICON_OF[name] ?? "i-need")}<span class="bar"><i></i></span></span>`,
      )
      .join("")}</span>
    <span class="bonds"></span>`;
  card.addEventListener("click", () => follow(stage.followed === a ? null : a));
  $("cards").append(card);
  const part = (selector) => card.querySelector(selector);
  return {
    card, disc: part(".disc"), name: part(".who b"), work: part(".who span"), purse: part(".purse span"),
    doing: part(".doing"), needs: [...card.querySelectorAll(".need")], bonds: part(".bonds"),
  };
});
if (A > 10) $("cards").classList.add("is-many");
$("cards").style.setProperty("--columns", A > 10 || A === 3 ? 3 : 2);

function bondHtml(kind, other, value, f) {
  const colour = kind === "heart" ? palette.trust : palette.rivalry;
  return `<span title="${kind === "heart" ? "strongest friend" : "strongest rival"}">
    <span style="color:${colour};display:contents">${icon(`i-${kind}`)}</span>
    <i style="background:${palette.residents[other]}"></i>${escaped(nameOf(other, f))} ${value.toFixed(2)}</span>`;
}

// Writes only what has changed.
function put(element, key, value) {
  if (element[`_${key}`] === value) return;
  element[`_${key}`] = value;
  element[key] = value;
}

function updateCards(f) {
  const felt = feelings(f);
  for (const a of slots) {
    const { card, disc, name, work: job, purse, doing: deed, needs, bonds: row } = cards[a];
    const isThere = isHere(a, f);
    card.classList.toggle("is-gone", !isThere);
    card.classList.toggle("is-followed", stage.followed === a);
    put(name, "textContent", isThere ? nameOf(a, f) : about.residents[a].shown);
    put(job, "textContent", isThere ? work(a, f) : "vacant");
    put(purse, "textContent", isThere ? (at("wallet", a, f) / 100).toFixed(2) : "–");
    const words = doing(a, f);
    put(deed, "textContent", words[0].toUpperCase() + words.slice(1));
    const low = lowest(a, f), isLow = low.level < palette.low;
    disc.style.setProperty("--mood", !isThere ? "transparent" : isLow ? palette.alarm : palette.needs[low.n]);
    needs.forEach((element, n) => {
      const level = isThere ? need(n, a, f) : 0, bar = element.querySelector("i");
      bar.style.width = `${Math.round(level * 100)}%`;
      bar.style.background = level < palette.low ? palette.alarm : palette.needs[n];
      put(element, "title", `${about.needs[n]} ${Math.round(level * 100)} %`);
    });
    const { friend, rival } = isThere ? friendAndRival(a, felt) : {};
    const html =
      (friend ? bondHtml("heart", friend.to, friend.warmth / 2, f) : "") +
      (rival ? bondHtml("rival", rival.to, rival.rivalry, f) : "");
    put(row, "innerHTML", html || "<span>no ties yet</span>");
  }
}
