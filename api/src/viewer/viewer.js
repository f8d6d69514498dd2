// Shows the OpenAPI document that this page comes with, and asks what its reader wants to try out. Whatever comes from
// elsewhere is put into the page as text, never as markup. The token is in a field of this page, and nowhere else.
'use strict';

const LONGEST = 200000;

function element(name, text, properties) {
  const made = Object.assign(document.createElement(name), properties || {});
  if (text !== undefined && text !== null) made.textContent = text;
  return made;
}

function within(parent, ...children) {
  parent.append(...children.filter(Boolean));
  return parent;
}

function resolved(value, api) {
  if (!value || !value.$ref) return value;
  return value.$ref.slice(2).split('/').reduce((at, part) => at[part], api);
}

function kindOf(schema) {
  if (!schema) return '';
  if (schema.enum) return schema.enum.join(' | ');
  if (schema.anyOf) return schema.anyOf.map(kindOf).join(' or ');
  if (schema.type === 'array') return 'several: ' + kindOf(schema.items);
  return schema.format || [].concat(schema.type || '').join(' or ');
}

function parameterRow(parameter, fields) {
  const field = element('input', null, {
    name: parameter.name,
    placeholder: [].concat(parameter.example).join(','),
    required: parameter.required,
    spellcheck: false,
    ariaLabel: parameter.name,
  });
  fields.push({ parameter, field });
  const name = within(element('td'), element('code', parameter.name), parameter.required ? ' (required)' : '');
  const about = within(element('td', parameter.description), element('br'), element('small', kindOf(parameter.schema)));
  return within(element('tr'), name, about, within(element('td'), field));
}

function addressOf(path, fields) {
  let address = path;
  const query = new URLSearchParams();
  for (const { parameter, field } of fields) {
    if (parameter.in === 'path') {
      address = address.replace('{' + parameter.name + '}', encodeURIComponent(field.value));
    } else if (field.value !== '') {
      // The parameters whose name ends in NAME take it from the value: region=eu.
      const [, stem] = parameter.name.match(/^(.*\.)NAME$/) || [];
      const at = field.value.indexOf('=');
      if (stem && at > 0) query.append(stem + field.value.slice(0, at), field.value.slice(at + 1));
      else query.append(parameter.name, field.value);
    }
  }
  const asked = query.toString();
  return asked ? address + '?' + asked : address;
}

function headersOf(media) {
  const headers = {};
  const token = document.getElementById('token').value.trim();
  if (token) headers.Authorization = 'Bearer ' + token;
  if (media) headers['Content-Type'] = media;
  return headers;
}

function pretty(text, type) {
  if (!/json/.test(type)) return text;
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

async function readSome(response, shown) {
  const reader = response.body.getReader();
  const decoder = new TextDecoder();
  let text = '';
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    text += decoder.decode(value, { stream: true });
    // A stream has no end of its own.
    shown(text.slice(0, LONGEST));
    if (text.length > LONGEST) {
      await reader.cancel();
      break;
    }
  }
  return text.slice(0, LONGEST);
}

function tryOut(path, method, operation, fields) {
  const media = operation.requestBody && Object.keys(operation.requestBody.content)[0];
  const body = media && element('textarea', JSON.stringify(operation.requestBody.content[media].example, null, 2), { ariaLabel: 'Body' });
  const ask = element('button', 'Ask', { type: 'button' });
  const stop = element('button', 'Stop', { type: 'button', disabled: true });
  const asked = element('code');
  const status = element('p', null, { role: 'status' });
  const answer = element('pre');
  let aborter = null;
  stop.addEventListener('click', () => aborter && aborter.abort());
  ask.addEventListener('click', async () => {
    const address = addressOf(path, fields);
    asked.textContent = method.toUpperCase() + ' ' + address;
    answer.textContent = '';
    status.textContent = '…';
    status.className = '';
    aborter = new AbortController();
    stop.disabled = false;
    const began = performance.now();
    try {
      const response = await fetch(address, { method: method.toUpperCase(), headers: headersOf(media), body: body ? body.value : undefined, signal: aborter.signal, cache: 'no-store', credentials: 'omit' });
      const took = Math.round(performance.now() - began);
      status.textContent = response.status + ' ' + response.statusText + ' in ' + took + ' ms';
      status.className = response.ok ? '' : 'bad';
      const text = await readSome(response, (so_far) => { answer.textContent = so_far; });
      answer.textContent = pretty(text, response.headers.get('content-type') || '');
    } catch (error) {
      if (error.name !== 'AbortError') {
        status.textContent = 'no answer: ' + error.message;
        status.className = 'bad';
      }
    } finally {
      stop.disabled = true;
    }
  });
  return within(element('div'), body, within(element('p'), ask, ' ', stop, ' ', asked), status, answer);
}

function statuses(operation, api) {
  const list = element('ul');
  for (const [status, response] of Object.entries(operation.responses)) {
    within(list, within(element('li'), element('code', status), ' ' + resolved(response, api).description));
  }
  return list;
}

function example(operation) {
  const content = operation.responses['200'].content || {};
  const shown = Object.values(content).find((one) => one.example !== undefined);
  return shown && element('pre', JSON.stringify(shown.example, null, 2));
}

function card(path, method, operation, api) {
  const fields = [];
  const details = element('details', null, { id: operation.operationId });
  const head = within(element('summary'), element('code', method.toUpperCase() + ' ' + path), ' — ' + operation.summary);
  const rows = (operation.parameters || []).map((parameter) => parameterRow(parameter, fields));
  const table = rows.length ? within(element('table'), ...rows) : element('p', 'No parameters.', { className: 'dim' });
  const inside = within(element('div'), element('p', operation.description || ''), element('h4', 'Parameters'), table,
    element('h4', 'Try it out'), tryOut(path, method, operation, fields), element('h4', 'Statuses'), statuses(operation, api));
  const shown = example(operation);
  if (shown) within(inside, element('h4', 'An answer'), shown);
  return within(details, head, inside);
}

function show(api) {
  document.getElementById('about').textContent = api.info.description;
  const contents = element('ul');
  for (const tag of api.tags) {
    const section = within(element('section'), element('h2', tag.name), element('p', tag.description));
    for (const [path, item] of Object.entries(api.paths)) {
      for (const [method, operation] of Object.entries(item)) {
        if (!(operation.tags || []).includes(tag.name)) continue;
        within(section, card(path, method, operation, api));
        const link = element('a', method.toUpperCase() + ' ' + path, { href: '#' + operation.operationId });
        within(contents, within(element('li'), link));
      }
    }
    document.getElementById('operations').append(section);
  }
  document.getElementById('contents').append(contents);
}

function openNamed() {
  const named = location.hash.length > 1 && document.getElementById(location.hash.slice(1));
  if (named && named.tagName === 'DETAILS') named.open = true;
}

window.addEventListener('hashchange', openNamed);
fetch('openapi.json', { credentials: 'omit' })
  .then((response) => response.json())
  .then((api) => { show(api); openNamed(); })
  .catch((error) => { document.getElementById('about').textContent = 'The description could not be loaded: ' + error.message; });
