// Before the first paint, so that a dark page never flashes white. A classic script: modules run too late.
(() => {
  try {
    const theme = localStorage.getItem("serinus.theme");
    if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
  } catch { /* storage may be forbidden: the system's theme it is */ }
})();
