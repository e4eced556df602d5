// A page that is out of date confesses: nothing on it is known any more.
(() => {
  const root = document.documentElement;
  const { unknown, nothing, outdated } = document.currentScript.dataset;
  const all = (what, change) => document.querySelectorAll(what).forEach(change);
  const confess = (last) => {
    all("[data-state]", (one) => { one.dataset.state = "unknown"; });
    all("[data-state] use", (one) => one.setAttribute("href", "#unknown"));
    all(".word", (one) => { one.textContent = unknown; });
    all(".why, .sum", (one) => { one.textContent = ""; });
    all("#headline", (one) => { one.textContent = nothing; });
    all("#detail", (one) => { one.textContent = outdated.replace("{}", last); });
    all("#now", (one) => one.remove());
    document.title = document.title.replace(/^\S+ .* · /, `? ${nothing} · `);
  };
  const look = (until, last) => {
    if (!(Date.now() <= Date.parse(until))) confess(last);
    else setTimeout(look, 10000, until, last);
  };
  if (root.dataset.staleAfter) look(root.dataset.staleAfter, document.getElementById("newest").textContent);
  // The page of a service carries no moment of the build; it asks the file beside the index.
  const ask = () => fetch("../status.txt", { cache: "no-store" }).then((answer) => answer.text()).then((text) => {
    const [, , last, until] = text.split("\n");
    if (Date.parse(until) < Date.now()) confess(last);
  }).catch(() => {});
  if (!root.dataset.staleAfter && location.protocol !== "file:" && document.getElementById("overview")) ask();
})();
