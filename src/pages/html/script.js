(() => {
  const form = document.querySelector('form[role=search]');
  if (!form || !window.fetch) return;
  let timer;
  let running;
  const address = () => {
    const query = new URLSearchParams();
    for (const [name, value] of new FormData(form)) if (value) query.append(name, value);
    const text = query.toString();
    return form.getAttribute('action') + (text ? `?${text}` : '');
  };
  const stop = () => {
    clearTimeout(timer);
    running?.abort();
  };
  const show = async () => {
    stop();
    running = new AbortController();
    const url = address();
    try {
      const response = await fetch(url, { signal: running.signal });
      const page = new DOMParser().parseFromString(await response.text(), 'text/html');
      const results = page.querySelector('#results');
      if (!results) return location.assign(url);
      document.querySelector('#results').replaceWith(results);
      const [old, filters] = [document.querySelector('ul.active'), page.querySelector('ul.active')];
      old?.remove();
      if (filters) form.after(filters);
      history.replaceState(null, '', url);
    } catch (error) {
      if (error.name !== 'AbortError') location.assign(url);
    }
  };
  form.addEventListener('submit', (event) => { event.preventDefault(); show(); });
  // A search changes the results while it is typed. Its change event comes when a result is pressed: new results would lose the click.
  form.addEventListener('change', (event) => { if (event.target.type !== 'search') show(); });
  form.addEventListener('input', (event) => {
    if (event.target.type !== 'search') return;
    clearTimeout(timer);
    timer = setTimeout(show, 200);
  });
  // Some browsers fail requests when a link is followed, which must not lead back to this page.
  window.addEventListener('beforeunload', stop);
  document.addEventListener('keydown', (event) => {
    const isTyping = /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName);
    if (event.key !== '/' || isTyping || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    form.elements.q.focus();
  });
})();
