"use strict";

// Chooses which cards are shown, and keeps the choice in the address, so that a view can be linked to.
{
  const names = ["assignment", "status"];
  const form = document.getElementById("filters");
  const shown = document.getElementById("shown");
  const cards = [...document.querySelectorAll(".card")];
  const sections = [...document.querySelectorAll(".assignment")];

  const chosen = () => [...new FormData(form)].filter(([, value]) => value);

  function show() {
    const wanted = chosen();
    for (const card of cards) {
      card.hidden = wanted.some(([name, value]) => card.dataset[name] !== value);
    }
    for (const section of sections) {
      section.hidden = !section.querySelector(".card:not([hidden])");
    }
    const count = cards.filter((card) => !card.hidden).length;
    shown.textContent = count
      ? `${count} of ${cards.length} notebooks shown`
      : `None of ${cards.length} notebooks is both: choose another assignment or status`;
  }

  function keep() {
    const address = new URL(location.href);
    address.hash = new URLSearchParams(chosen());
    history.replaceState(null, "", address);
    show();
  }

  function recall() {
    const text = location.hash.slice(1);
    if (text && !text.includes("=")) return; // a place on the page, not a choice
    const kept = new URLSearchParams(text);
    for (const name of names) {
      const options = [...form.querySelectorAll(`[name="${name}"]`)];
      (options.find((option) => option.value === kept.get(name)) ?? options[0]).checked = true;
    }
    show();
  }

  form.addEventListener("change", keep);
  form.addEventListener("reset", () => setTimeout(keep)); // it has not yet happened
  addEventListener("hashchange", recall);
  form.hidden = false;
  recall();
}
