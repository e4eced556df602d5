const one = (what, within = document) => within.querySelector(what);

// A filter, which pages of many services have ready; "/" leads to it.
const filter = one("#filter")?.content.firstElementChild;
const narrow = () => {
	if (!filter) return;
	if (!filter.isConnected) one("details:has(.r)").before(filter);
	const text = one("input", filter).value.trim().toLowerCase(), state = one("select", filter).value, rows = all(".r");
	for (const row of rows) {
		const named = one(".nm", row).textContent.toLowerCase().includes(text);
		row.hidden = !named || state && state !== row.dataset.state;
	}
	for (const group of all("details:has(.r)")) {
		group.hidden = !one(".r:not([hidden])", group);
		group.open ||= text || state;
	}
	one("output", filter).value = text || state ? all(".r:not([hidden])").length + " / " + rows.length : "";
};
if (filter) filter.oninput = narrow;
onkeydown = (key) => {
	if (key.key !== "/" || !filter || key.target.matches("input")) return;
	key.preventDefault();
	one("input", filter).focus();
};

// What is too old is not known any more, by the clock alone.
let until = said.staleAfter, newest, stale;
const confess = () => {
	if (stale || !until || Date.now() <= Date.parse(until)) return;
	stale = true;
	for (const part of all("[data-state]")) part.dataset.state = "unknown";
	for (const sign of all("[data-state] use")) sign.setAttribute("href", "#unknown");
	for (const word of all(".word")) word.textContent = said.unknown;
	for (const why of all(".why, .sum")) why.textContent = "";
	one("#headline").textContent = said.staleHeadline;
	one("#detail").textContent = said.staleDetail.replace("{}", one("#newest")?.textContent || newest);
	one("#now")?.remove();
	one("link[rel=icon]").href = said.staleIcon;
	document.title = said.staleTitle;
	narrow();
};

// News: status.txt is asked each minute or so, and the page when that has changed.
const get = (address) => fetch(address, { cache: "no-cache" }).then((answer) => answer.text());
const renew = (page) => {
	if (!one("#headline", page)) throw page;
	const open = all("details").map((part) => part.open), focus = document.activeElement;
	for (const part of ["main", "footer", "title", "link[rel=icon]"]) one(part).replaceWith(one(part, page));
	all("details").forEach((part, place) => { part.open = open[place] ?? part.open; });
	stale = false;
	narrow();
	localise();
	const same = (part) => part.outerHTML === focus.outerHTML;
	(filter?.contains(focus) ? focus : all("a, summary").find(same))?.focus({ preventScroll: true });
};
let known, wait = 1; // in minutes
const ask = async () => {
	if (document.hidden) return addEventListener("visibilitychange", ask, { once: true });
	try {
		const [state, , last, end] = (await get(said.status)).split("\n");
		if (!/^20.*Z$/.test(end)) throw end;
		if ((known || stale) && known !== state + last) {
			renew(new DOMParser().parseFromString(await get(location.href), "text/html"));
		}
		[known, newest, until, wait] = [state + last, last, end, 1];
	} catch {
		wait = Math.min(wait * 2, 16);
	}
	confess();
	setTimeout(ask, wait * (60000 + Math.random() * 15000));
};

narrow();
confess();
setInterval(confess, 10000);
if (said.status && location.protocol !== "file:") ask();
