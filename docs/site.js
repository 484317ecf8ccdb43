// What scrolls within itself can be reached and moved with the keyboard.
const reach = () => {
  for (const each of document.querySelectorAll("pre > code, .md-typeset__scrollwrap")) {
    if (each.scrollWidth > each.clientWidth) each.tabIndex = 0;
  }
};

// Tables are wrapped by the theme, which comes first or last.
reach();
addEventListener("load", reach);
addEventListener("resize", reach);
