"use strict";
const NAMES = /*NAMES*/null;
const WINDOWS = ["main", "1h", "24h", "7d", "30d", "365d"];
const CITY_MS = 5000;
const PLACES_MS = 15000;
const ALERTS_SHOWN = 12;
const KINDS = ["all", "unattended", "rate", "condition", "event"];
const WORDS = {
  zh: {
    ok: "达标", below: "未达标", low_sample: "样本不足", no_activity: "无业务", no_data: "无数据", stale: "数据滞后",
    error: "定义已变更，重算中", firing: "已触发", pending: "待触发", target: "目标", unknown: "未知", shown: "仅展示",
    place: "镇乡（街道）", platforms: "外卖平台", rate: "指标", state: "状态", indicator: "事项",
    where: "地点", since: "开始时间", worst: "较差", none: "没有未解除的告警", loading: "正在读取…",
    updated: "更新于", asOf: "统计截至", city: "诸暨市", now: "当前", main: "告警窗口", "1h": "1 小时", "24h": "24 小时",
    "7d": "7 天", "30d": "30 天", "365d": "365 天", other: "English", trouble: "读取失败，显示的可能是旧数据：",
    noRates: "还没有指标数据", of: (target, unit) => ` / ${target} ${unit}`, atMost: (target, unit) => ` ${unit}（不超过 ${target}）`, comma: "，",
    value: "数值", handling: "处理", all: "全部", unattended: "无人处理", condition: "数据状况", event: "事件",
    acked: (who) => `${who} 已确认`, untilOver: "至本次恢复", silenced: (until) => `静默至 ${until}`, inhibited: "由全市告警代发",
    longAgo: (length) => `已 ${length}`, days: " 天 ", hours: " 小时 ", minutes: " 分", colon: "：", noneSuch: "没有这样的告警",
    more: (number) => `再显示 ${number} 条`, stock: "存量", flow: "流量", availability: "可用性", clause: (number) => `第${number}条`,
  },
  en: {
    ok: "ok", below: "below target", low_sample: "low sample", no_activity: "no activity", no_data: "no data",
    stale: "stale", error: "definition changed, recomputing", firing: "firing", pending: "pending", target: "target",
    unknown: "unknown", shown: "shown only", place: "Town", platforms: "Platforms", rate: "rate",
    state: "State", indicator: "Alert", where: "Place", since: "Since", worst: "Worst",
    none: "No open alerts", loading: "Reading…", updated: "updated", asOf: "as of", city: "Zhuji city", now: "now",
    main: "alert window", "1h": "1 h", "24h": "24 h", "7d": "7 d", "30d": "30 d", "365d": "365 d",
    other: "中文", trouble: "Reading failed; what is shown may be old: ", noRates: "No rates yet",
    of: (target, unit) => ` of ${target} ${unit}`, atMost: (target, unit) => ` ${unit} (at most ${target})`, comma: ", ",
    value: "Value", handling: "Handling", all: "all", unattended: "unattended", condition: "data",
    event: "event", acked: (who) => `acknowledged by ${who}`, untilOver: "until it resolves",
    silenced: (until) => `silenced until ${until}`, inhibited: "told by the city's alert",
    longAgo: (length) => `for ${length}`, days: " d ", hours: " h ", minutes: " min", colon: ": ", noneSuch: "No such alerts",
    more: (number) => `Show ${number} more`, stock: "stock", flow: "flow", availability: "availability",
    clause: (number) => `clause ${number}`,
  },
};
const chosen = new URLSearchParams(location.hash.slice(1));
const state = {
  language: chosen.has("en") ? "en" : "zh",
  window: WINDOWS.find((one) => one === chosen.get("window")) ?? "main",
  group: (NAMES.groups.find((one) => one.code === chosen.get("group")) ?? NAMES.groups[0]).code,
  kind: KINDS.find((one) => one === chosen.get("alerts")) ?? "all", allAlerts: false,
  rates: null, alerts: null, places: null, updated: null, trouble: {}, asked: 0,
};
const byId = (id) => document.getElementById(id);
const word = (key) => WORDS[state.language][key] ?? key;
const entryOf = (code) => NAMES.indicators[code] ?? { zh: code, en: code, counts: false, windows: [], unit: { zh: "", en: "" } };
const nameOf = (code) => entryOf(code)[state.language];

function make(tag, text, classes) {
  const element = document.createElement(tag);
  if (text !== undefined && text !== null) element.textContent = text;
  if (classes) element.className = classes;
  return element;
}

const placeOf = (scope, id) =>
  scope === "city" ? word("city") : NAMES.towns[id] ?? NAMES.platforms[id]?.[state.language] ?? id;

/* Of an indicator without the chosen window the next longer one, else its longest. */
function windowOf(code) {
  const entry = entryOf(code);
  if (state.window === "main") return entry.main;
  const known = entry.windows.filter((one) => WINDOWS.indexOf(one) >= WINDOWS.indexOf(state.window));
  return known[0] ?? entry.windows[entry.windows.length - 1];
}

const percent = (share) => (share < 1 ? Math.min(Math.round(share * 1000) / 10, 99.9) : share * 100).toFixed(1) + "%";
const shownNumber = (code, value) =>
  (value ?? null) === null ? "—" : entryOf(code).counts ? String(value) : percent(value);
const shownCounts = (row) =>
  entryOf(row.indicator).counts ? String(row.numerator) : `${row.numerator} / ${row.denominator}`;
const targetNumber = (code, value) => (entryOf(code).counts ? String(value) : Math.round(value * 1000) / 10 + "%");
const shownTarget = (row) => `${row.comparator === "<=" ? "≤" : "≥"} ${targetNumber(row.indicator, row.target)}`;
const shownTime = (text) => (text ? text.slice(0, 16).replace("T", " ") : "—");
const chip = (status) => make("span", word(status), `chip ${status}`);
const toneOf = (row) => (row.status === "ok" && row.target === null ? "shown" : row.status);
const hasTarget = (row) => row.target !== null && row.target !== undefined;

function choices(id, options) {
  byId(id).replaceChildren(...options.map(([label, pressed, press]) => {
    const button = make("button", label);
    button.type = "button";
    button.setAttribute("aria-pressed", String(pressed));
    button.addEventListener("click", press);
    return button;
  }));
}

function drawBar(row, counts) {
  const bar = make("div", null, "bar");
  const fill = make("i");
  const whole = counts ? row.target || 1 : 1;
  fill.style.width = Math.min(100, ((row.rate ?? 0) / whole) * 100) + "%";
  bar.append(fill);
  if (hasTarget(row) && !counts) {
    const mark = make("b");
    mark.style.left = `calc(${Math.min(100, row.target * 100)}% - 1px)`;
    bar.append(mark);
  }
  return bar;
}

function drawCard(row) {
  const entry = entryOf(row.indicator);
  const card = make("div", null, `card ${toneOf(row)}`);
  card.title = `${row.indicator} · ${word("clause")(entry.clause)} · ${word(entry.kind)}`;
  const value = make("div", shownNumber(row.indicator, row.rate), "value");
  const unit = entry.unit[state.language];
  const measured = word(row.comparator === "<=" ? "atMost" : "of");
  if (entry.counts) value.append(make("small", hasTarget(row) ? measured(row.target, unit) : ` ${unit}`));
  card.append(make("div", nameOf(row.indicator), "name"), value);
  if (!entry.counts || (hasTarget(row) && row.comparator === ">=")) card.append(drawBar(row, entry.counts));
  const foot = make("div", null, "foot soft");
  foot.append(chip(toneOf(row)));
  if (!entry.counts) foot.append(make("span", `${shownCounts(row)} ${unit}`));
  if (hasTarget(row)) foot.append(make("span", `${word("target")} ${shownTarget(row)}`));
  if (row.unknown) foot.append(make("span", `${word("unknown")} ${row.unknown}`));
  foot.append(make("span", `${word(entry.kind)} · ${word(row.window)}`));
  card.append(foot);
  return card;
}

function drawCity() {
  const found = new Map((state.rates ?? []).map((row) => [`${row.indicator} ${row.window}`, row]));
  const tones = {};
  const parts = [];
  for (const group of NAMES.groups) {
    const rows = group.indicators.map((code) => found.get(`${code} ${windowOf(code)}`)).filter(Boolean);
    for (const row of rows) tones[toneOf(row)] = (tones[toneOf(row)] ?? 0) + 1;
    const cards = make("div", null, "cards");
    cards.append(...rows.map(drawCard));
    if (rows.length) parts.push(make("h3", group[state.language]), cards);
  }
  byId("city").replaceChildren(
    ...(parts.length ? parts : [make("div", word(state.rates ? "noRates" : "loading"), "frame empty")]));
  const order = ["below", "error", "stale", "no_data", "low_sample", "no_activity", "ok", "shown"];
  byId("summary").replaceChildren(...order.filter((tone) => tones[tone]).flatMap((tone) => {
    const mark = chip(tone);
    mark.append(` ${tones[tone]}`);
    return [mark, " "];
  }));
}

/* A target of a count is the whole city's, so a town's number has no status; at most so many holds everywhere. */
function drawCell(row) {
  if (!row) return make("td", "", "number");
  const judged = !entryOf(row.indicator).counts || row.comparator === "<=";
  const cell = make("td", shownNumber(row.indicator, row.rate), `number ${judged ? toneOf(row) : ""}`);
  const below = entryOf(row.indicator).counts ? [] : [shownCounts(row)];
  if (row.unknown) below.push(`${word("unknown")} ${row.unknown}`);
  if (judged && !["ok", "shown"].includes(toneOf(row))) below.push(word(toneOf(row)));
  cell.append(make("small", below.join(" · ")));
  return cell;
}

function drawPlaces() {
  const group = NAMES.groups.find((one) => one.code === state.group);
  const found = new Map((state.places ?? []).map((row) => [`${row.indicator} ${row.window} ${row.scope_id}`, row]));
  const codes = group.indicators;
  const line = (id, name) => {
    const row = make("tr");
    row.append(make("td", name), ...codes.map((code) => drawCell(found.get(`${code} ${windowOf(code)} ${id}`))));
    return row;
  };
  const columns = make("tr");
  columns.append(make("th", word("place")));
  for (const code of codes) {
    const any = (state.rates ?? []).find((row) => row.indicator === code);
    const title = make("th", nameOf(code), "number");
    const window = windowOf(code) === "now" ? [] : [word(windowOf(code))];
    const target = any && hasTarget(any) ? [`${word("target")} ${shownTarget(any)}`] : [];
    title.append(make("div", [...window, ...target].join(" · "), "soft small"));
    columns.append(title);
  }
  const head = make("thead");
  head.append(columns);
  const body = make("tbody");
  body.append(...Object.entries(NAMES.towns).map(([town, name]) => line(town, name)));
  if ((state.places ?? []).some((row) => row.scope === "platform")) {
    const part = make("tr", null, "part");
    const title = make("td", word("platforms"));
    title.colSpan = codes.length + 1;
    part.append(title);
    body.append(part, ...Object.keys(NAMES.platforms).map((id) => line(id, placeOf("platform", id))));
  }
  const table = make("table");
  table.append(head, body);
  byId("places").replaceChildren(state.places ? table : make("div", word("loading"), "empty"));
  const moments = (state.places ?? []).map((row) => row.as_of).filter(Boolean).sort();
  byId("as-of").textContent = moments.length ? `${word("asOf")} ${shownTime(moments[0])}` : "";
}

/*ALERTS*/
/* What is chosen stands in the address too, so that it can be sent to somebody. */
function choose(changes) {
  Object.assign(state, changes);
  history.replaceState(null, "", `#${state.language}&alerts=${state.kind}&group=${state.group}&window=${state.window}`);
  draw();
}

function draw() {
  document.documentElement.lang = state.language === "zh" ? "zh-CN" : "en";
  for (const element of document.querySelectorAll("[data-zh]")) element.textContent = element.dataset[state.language];
  byId("language").textContent = word("other");
  byId("updated").textContent = state.updated
    ? `${word("updated")} ${state.updated.toLocaleTimeString("zh-CN", { hour12: false, timeZone: "Asia/Shanghai" })}` : "";
  const [trouble] = Object.values(state.trouble);
  byId("trouble").hidden = !trouble;
  byId("trouble").textContent = trouble ? word("trouble") + trouble : "";
  choices("windows", WINDOWS.map((one) =>
    [word(one), one === state.window, () => { choose({ window: one }); readPlaces(); }]));
  choices("groups", NAMES.groups.map((one) =>
    [one[state.language], one.code === state.group, () => { choose({ group: one.code, places: null }); readPlaces(); }]));
  drawAlerts();
  drawCity();
  drawPlaces();
}

async function read(path) {
  const answer = await fetch(path, { signal: AbortSignal.timeout(15000) });
  const body = await answer.json();
  if (!answer.ok) throw new Error(body.detail ?? answer.statusText);
  return body;
}

async function reading(what, work) {
  try {
    await work();
    delete state.trouble[what];
  } catch (error) {
    state.trouble[what] = error.message;
  }
  draw();
}

/* Only what the table shows: the group's indicators in their windows. An answer to an older question is dropped. */
async function readPlaces() {
  const asked = ++state.asked;
  const codes = NAMES.groups.find((one) => one.code === state.group).indicators;
  const windows = [...new Set(codes.map(windowOf))];
  const query = new URLSearchParams([["scope", "town"], ["scope", "platform"], ...codes.map((code) => ["indicator", code]),
    ...windows.map((one) => ["window", one])]);
  await reading("places", async () => {
    const rates = await read(`/v1/rates?${query}`);
    if (asked === state.asked) state.places = rates.rates;
  });
}

async function refresh() {
  await reading("city", async () => {
    const [rates, alerts] = await Promise.all([read("/v1/rates?scope=city"), read("/v1/alerts?state=firing&state=pending")]);
    Object.assign(state, { rates: rates.rates, alerts: alerts.alerts, updated: new Date() });
  });
  setTimeout(refresh, CITY_MS);
}

byId("language").addEventListener("click", () => choose({ language: state.language === "zh" ? "en" : "zh" }));
draw();
refresh();
readPlaces();
setInterval(readPlaces, PLACES_MS);
