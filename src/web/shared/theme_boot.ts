// Runs before the first paint, so that nobody who chose dark sees a white flash. Imports nothing: it is a plain script.
(() => {
  const chosen = localStorage.getItem('millrace-theme');
  if (chosen === 'light' || chosen === 'dark') document.documentElement.dataset['theme'] = chosen;
})();
