// What was played, as files.

import { ask, at, download } from "/daemon.js";

const NAMES = { mid: "MIDI", musicxml: "MusicXML", pdf: "PDF" };

async function exportAs(live, format) {
  const seconds = at("span").value ? Number(at("span").value) : null;
  at("exported").textContent = `Making ${NAMES[format]} …`;
  const kept = await ask("live.keep", { live, seconds, formats: [format] });
  const file = kept.artefacts.find((artefact) => artefact.format === format);
  if (!file) throw new Error(`There is no ${NAMES[format]} to save.`);
  await download(kept.job, file.name);
  at("exported").textContent = [`Saved ${file.name}.`, ...kept.warnings].join(" ");
}

/** Make the buttons work; `session()` gives the id of the session that is shown. */
export function offerExports(session) {
  for (const button of at("exports").querySelectorAll("button")) {
    button.addEventListener("click", async () => {
      const live = session();
      if (!live || button.ariaBusy === "true") return;
      button.ariaBusy = "true"; // not disabled: the focus stays where it is
      try {
        await exportAs(live, button.dataset.format);
      } catch (problem) {
        at("exported").textContent = [problem.message, problem.hint].filter(Boolean).join(" ");
      }
      button.ariaBusy = "false";
    });
  }
}

export function allowExports(allowed) {
  for (const button of at("exports").querySelectorAll("button")) button.disabled = !allowed;
}
