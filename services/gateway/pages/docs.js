// Draw the OpenAPI document as headings, disclosures and tables. Text is only ever set as text, never as markup.

const METHODS = ["get", "post", "put", "patch", "delete"];
const DEPTH_MAX = 4; // deeper shapes are named, not unfolded

function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

function resolve(schema, all) {
  const name = schema?.$ref?.split("/").pop();
  return name ? { name, ...all[name] } : { ...schema };
}

function phrase(schema, all) {
  const found = resolve(schema, all);
  if (found.name) return found.name;
  if (found.const !== undefined) return JSON.stringify(found.const);
  if (found.enum) return found.enum.map((value) => JSON.stringify(value)).join(" | ");
  const choices = found.anyOf ?? found.oneOf ?? found.allOf;
  if (choices) return choices.map((each) => phrase(each, all)).join(found.allOf ? " and " : " or ");
  if (found.type === "array") return `list of ${phrase(found.items ?? {}, all)}`;
  const limits = ["format", "pattern", "minimum", "maximum", "minLength", "maxLength", "default"]
    .filter((key) => found[key] !== undefined)
    .map((key) => `${key} ${JSON.stringify(found[key])}`);
  return [found.type ?? "anything", ...limits].join(", ");
}

function rowsOf(schema, all, path = "", depth = 0) {
  const found = resolve(schema, all);
  if (depth > DEPTH_MAX) return [];
  if (found.type === "array") return rowsOf(found.items ?? {}, all, `${path}[]`, depth + 1);
  const choices = found.anyOf ?? found.oneOf ?? [];
  if (choices.length) return choices.flatMap((each) => rowsOf(each, all, path, depth + 1));
  return Object.entries(found.properties ?? {}).flatMap(([name, inner]) => {
    const here = path ? `${path}.${name}` : name;
    const needed = found.required?.includes(name) ? "yes" : "no";
    const note = inner.description ?? "";
    return [[here, phrase(inner, all), needed, note], ...rowsOf(inner, all, here, depth + 1)];
  });
}

function table(title, heads, rows) {
  if (!rows.length) return "";
  const head = make("tr", {}, ...heads.map((text) => make("th", { scope: "col" }, text)));
  const body = rows.map(([first, ...rest]) =>
    make("tr", {}, make("th", { scope: "row" }, make("code", {}, first)), ...rest.map((text) => make("td", {}, text))),
  );
  return make("table", {}, make("caption", {}, title), make("thead", {}, head), make("tbody", {}, ...body));
}

function shape(title, content, all) {
  const [mediaType, media] = Object.entries(content ?? {})[0] ?? [];
  if (!media) return "";
  const heading = make("p", {}, make("strong", {}, `${title}: `), `${mediaType}, ${phrase(media.schema ?? {}, all)}`);
  return make("div", {}, heading, table(`Fields of ${title}`, ["Field", "Type", "Always", "Note"], rowsOf(media.schema ?? {}, all)));
}

function endpoint(path, method, operation, all) {
  const summary = make(
    "summary",
    {},
    make("span", { class: "method" }, method.toUpperCase()),
    " ",
    make("code", {}, path),
    make("span", { class: "what" }, operation.summary ?? ""),
  );
  const parameters = (operation.parameters ?? []).map((each) => [
    each.name,
    each.in,
    phrase(each.schema ?? {}, all),
    each.required ? "yes" : "no",
    each.description ?? "",
  ]);
  const problems = Object.entries(operation.responses ?? {})
    .filter(([status]) => Number(status) >= 400)
    .map(([status, response]) => [status, response.description]);
  const good = Object.entries(operation.responses ?? {}).find(([status]) => Number(status) < 400);
  return make(
    "details",
    { id: operation.operationId },
    summary,
    make("p", {}, make("code", {}, operation.operationId), `. ${operation.description ?? "For everybody."}`),
    table("Parameters", ["Name", "In", "Type", "Needed", "Note"], parameters),
    shape("Request", operation.requestBody?.content, all),
    good ? shape(`Answer ${good[0]}`, good[1].content, all) : "",
    table("Problems", ["Status", "Codes"], problems),
  );
}

function draw(documentRead) {
  const all = documentRead.components?.schemas ?? {};
  const byTag = new Map();
  for (const [path, methods] of Object.entries(documentRead.paths)) {
    for (const method of METHODS.filter((each) => methods[each])) {
      const tag = methods[method].tags?.[0] ?? "other";
      if (!byTag.has(tag)) byTag.set(tag, []);
      byTag.get(tag).push(endpoint(path, method, methods[method], all));
    }
  }
  const tags = [...byTag.keys()].sort();
  const id = (tag) => `section-${tag.replace(/\W+/g, "-")}`;
  document.querySelector("#endpoints").append(
    ...tags.map((tag) =>
      make("section", { "aria-labelledby": id(tag) }, make("h2", { id: id(tag) }, tag), ...byTag.get(tag)),
    ),
  );
  document
    .querySelector("#sections")
    .append(make("ul", {}, ...tags.map((tag) => make("li", {}, make("a", { href: `#${id(tag)}` }, tag)))));
  document.querySelector("#title").textContent = `${documentRead.info.title} ${documentRead.info.version}`;
  document.querySelector("#description").textContent = documentRead.info.description ?? "";
}

function filter(words) {
  const wanted = words.toLowerCase();
  let shown = 0;
  for (const section of document.querySelectorAll("main section")) {
    let here = 0;
    for (const each of section.querySelectorAll("details")) {
      each.hidden = !each.querySelector("summary").textContent.toLowerCase().includes(wanted) &&
        !each.id.toLowerCase().includes(wanted);
      if (!each.hidden) here += 1;
    }
    section.hidden = here === 0;
    shown += here;
  }
  document.querySelector("#count").textContent = `${shown} endpoints`;
}

const answer = await fetch("/api/openapi.json");
if (answer.ok) {
  draw(await answer.json());
  filter("");
  document.querySelector("#filter").addEventListener("input", (event) => filter(event.target.value));
  if (location.hash) document.getElementById(location.hash.slice(1))?.scrollIntoView();
} else {
  document.querySelector("#description").textContent = `The document cannot be read now (status ${answer.status}).`;
}
