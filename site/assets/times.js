// A page is whole without scripts. They add local times, a filter and news, and confess when it is too old.
const { dataset: said } = document.documentElement;
const all = (what) => [...document.querySelectorAll(what)];

// Times of the reader, where they differ.
const clock = (timeZone) => new Intl.DateTimeFormat(said.dates,
	{ day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", hourCycle: "h23", timeZone });
const localise = () => {
	const there = clock(said.zone), here = clock();
	for (const time of all("main time[datetime*=T]")) {
		const span = [time.dateTime, time.dataset.end || time.dateTime].map(Date.parse);
		const text = here.formatRange(...span), small = document.createElement("small");
		small.textContent = said.local.replace("{}", text);
		if (text !== there.formatRange(...span)) time.after(" ", small);
	}
};
localise();
