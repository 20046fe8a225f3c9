/* The city's alert speaks for those whose messages it has held back while it fires itself. */
const isSpokenFor = (one) =>
  one.inhibited_by && state.alerts.some((city) => city.alert_id === one.inhibited_by && city.state === "firing");
const isUnattended = (one) => one.state === "firing" && !one.acknowledged_by && !one.silenced_until && !isSpokenFor(one);

/* Firing alerts first, of these the ones that nobody sees to, then single cases, then data, then rates. */
function alertOrder(a, b) {
  const key = (one) => [one.state === "firing" ? 0 : 1, isUnattended(one) ? 0 : 1,
    ["event", "condition", "rate"].indexOf(one.kind), ["city", "source", "platform", "town"].indexOf(one.scope)];
  const [first, second] = [key(a), key(b)];
  const differs = first.findIndex((value, index) => value !== second[index]);
  return differs < 0 ? b.since.localeCompare(a.since) || a.alert_id.localeCompare(b.alert_id) : first[differs] - second[differs];
}

function isShown(one, kind) {
  return kind === "all" || (kind === "unattended" ? isUnattended(one) : one.kind === kind);
}

function factsOf(one) {
  try {
    return JSON.parse(one.facts || "{}");
  } catch {
    return {};
  }
}

/* Moments of facts are UTC, others of Shanghai already; the offset is always the same. */
function momentOf(value) {
  const moment = new Date(value);
  if (!/T.*Z$/.test(value) || isNaN(moment)) return String(value);
  return new Date(moment.getTime() + 8 * 3600000).toISOString().slice(0, 16).replace("T", " ");
}

function lengthSince(text) {
  const minutes = Math.max(0, Math.floor((Date.now() - new Date(text)) / 60000));
  const [days, hours, rest] = [Math.floor(minutes / 1440), Math.floor((minutes % 1440) / 60), minutes % 60];
  const units = [[days, "days"], [hours, "hours"], [rest, "minutes"]].filter(([count]) => count).slice(0, 2);
  return units.length ? units.map(([count, unit]) => count + word(unit)).join("").trim() : `0${word("minutes")}`;
}

/* What it is about beneath its name: of an event what is known of the case, of a condition its stream or indicator. */
function detailOf(one) {
  const said = (names, key) => names[key]?.[state.language] ?? key;
  if (one.kind === "condition") {
    const about = NAMES.indicators[one.subject] ? nameOf(one.subject) : said(NAMES.streams, one.subject);
    const units = { m: "minutes", h: "hours", d: "days" };
    const length = one.window.replace(/^(\d+)([mhd])$/, (_, count, unit) => (count + word(units[unit])).trim());
    return [about, length === "now" ? "" : length].filter(Boolean).join(" · ");
  }
  if (one.kind !== "event") return one.window === "now" ? "" : word(one.window);
  const facts = factsOf(one);
  const parts = Object.keys(NAMES.facts).filter((fact) => (facts[fact] ?? "") !== "").map((fact) => {
    if (fact === "operator_name") return facts[fact];
    const value = fact === "finding" ? said(NAMES.findings, facts[fact]) : momentOf(facts[fact]);
    return said(NAMES.facts, fact) + word("colon") + value;
  });
  return (parts.length ? parts : [one.subject]).join(" · ");
}

function drawHandling(one) {
  const cell = make("td", null, "handling");
  const mark = (classes, text, below) => {
    const line = make("div");
    line.append(make("span", text, `chip ${classes}`));
    if (below) line.append(make("span", below, "soft small"));
    cell.append(line);
  };
  if (one.acknowledged_by) mark("acked", word("acked")(one.acknowledged_by), word("untilOver"));
  if (one.silenced_until) mark("silenced", word("silenced")(shownTime(one.silenced_until).slice(5)));
  if (isSpokenFor(one)) mark("inhibited", word("inhibited"));
  if (isUnattended(one)) mark("unattended", word("unattended"));
  return cell;
}

function drawAlert(one) {
  const line = make("tr");
  const status = make("td", null, "status");
  status.append(chip(one.state), make("small", word(one.kind)));
  const what = make("td", NAMES.alerts[one.indicator]?.[state.language] ?? nameOf(one.indicator), "what");
  const detail = detailOf(one);
  if (detail) what.append(make("small", detail));
  const measured = one.kind === "rate";
  const value = make("td", measured ? shownNumber(one.indicator, one.rate) : null, "number");
  const target = hasTarget(one) ? [`${word("target")} ${targetNumber(one.indicator, one.target)}`] : [];
  if (measured) value.append(make("small", [shownCounts(one), ...target].join(" · ")));
  const since = make("td", shownTime(one.since).slice(5), "since");
  since.title = one.since;
  since.append(make("small", word("longAgo")(lengthSince(one.since))));
  const isWorse = (place) => !hasTarget(one) || entryOf(one.indicator).counts || place.rate < one.target;
  const worst = (one.worst ?? []).filter(isWorse).slice(0, 3).map((place) =>
    `${place.name || placeOf(place.scope, place.scope_id)} ${shownNumber(one.indicator, place.rate)}`);
  line.title = one.alert_id;
  line.append(status, what, make("td", placeOf(one.scope, one.scope_id), "place"), since, drawHandling(one), value,
    make("td", worst.join(word("comma")), "worst small"));
  return line;
}

function drawAlerts() {
  const open = (state.alerts ?? []).filter((one) => one.state === "firing" || one.state === "pending").sort(alertOrder);
  choices("kinds", KINDS.map((kind) => [`${word(kind)} ${open.filter((one) => isShown(one, kind)).length}`,
    kind === state.kind, () => choose({ kind, allAlerts: false })]));
  byId("count").replaceChildren(...["firing", "pending"].flatMap((status) => {
    const mark = chip(status);
    mark.append(` ${open.filter((one) => one.state === status).length}`);
    return state.alerts ? [mark, " "] : [];
  }));
  const wanted = open.filter((one) => isShown(one, state.kind));
  if (!wanted.length) {
    const said = word(state.alerts ? (open.length ? "noneSuch" : "none") : "loading");
    byId("alerts").replaceChildren(make("div", said, "empty"));
    return;
  }
  const columns = make("tr");
  for (const key of ["state", "indicator", "where", "since", "handling"]) columns.append(make("th", word(key)));
  columns.append(make("th", word("value"), "number"), make("th", word("worst")));
  const head = make("thead");
  head.append(columns);
  const shown = state.allAlerts ? wanted : wanted.slice(0, ALERTS_SHOWN);
  const body = make("tbody");
  body.append(...shown.map(drawAlert));
  const table = make("table");
  table.append(head, body);
  const parts = [table];
  if (shown.length < wanted.length) {
    const more = make("button", word("more")(wanted.length - shown.length));
    more.type = "button";
    more.addEventListener("click", () => { state.allAlerts = true; drawAlerts(); });
    const frame = make("div", null, "more");
    frame.append(more);
    parts.push(frame);
  }
  byId("alerts").replaceChildren(...parts);
}
