// Keeps the page fresh: fetches it again and replaces what is marked as live. Links stay what they are, so a click is never
// lost.
async function refresh() {
  try {
    const answer = await fetch(location.pathname, { cache: "no-store" });
    if (!answer.ok) throw new Error(String(answer.status));
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").querySelectorAll("[data-live]");
    document.querySelectorAll("[data-live]").forEach((part, index) => {
      const html = fresh[index]?.innerHTML;
      if (html !== undefined && html !== part.innerHTML) part.innerHTML = html;
    });
    document.body.removeAttribute("data-ended");
  } catch {
    document.body.setAttribute("data-ended", "");
  }
}

setInterval(refresh, 1500);
