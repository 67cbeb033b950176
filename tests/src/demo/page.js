// Keeps the page fresh: fetches it again and replaces the parts that changed.
const parts = ["tablets", "decisoes", "servidor"];

async function refresh() {
  try {
    const answer = await fetch(location.pathname, { cache: "no-store" });
    if (!answer.ok) throw new Error(String(answer.status));
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const id of parts) {
      const here = document.getElementById(id);
      const there = fresh.getElementById(id);
      if (here && there && here.innerHTML !== there.innerHTML && !here.contains(document.activeElement)) {
        here.innerHTML = there.innerHTML;
      }
    }
    document.body.removeAttribute("data-ended");
  } catch {
    document.body.setAttribute("data-ended", "");
  }
}

setInterval(refresh, 1500);
