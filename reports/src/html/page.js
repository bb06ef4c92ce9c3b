(function () {
  "use strict";
  var root = document.documentElement;

  // Theme: the system's, until the reader chooses.
  var button = document.getElementById("theme");
  var dark = window.matchMedia("(prefers-color-scheme: dark)");
  function isDark() {
    var chosen = root.getAttribute("data-theme");
    return chosen ? chosen === "dark" : dark.matches;
  }
  function label() {
    button.textContent = isDark() ? "Light" : "Dark";
    button.setAttribute("aria-label", "Switch to the " + (isDark() ? "light" : "dark") + " theme");
  }
  function keep(theme) {
    // A page opened from a file may have no storage.
    try { localStorage.setItem("meterstorm-theme", theme); } catch (error) { return; }
  }
  try {
    var kept = localStorage.getItem("meterstorm-theme");
    if (kept === "dark" || kept === "light") { root.setAttribute("data-theme", kept); }
  } catch (error) { root.removeAttribute("data-theme"); }
  button.hidden = false;
  label();
  dark.addEventListener("change", label);
  button.addEventListener("click", function () {
    var theme = isDark() ? "light" : "dark";
    root.setAttribute("data-theme", theme);
    keep(theme);
    label();
  });

  // Values under the pointer, at once instead of after the browser's delay.
  var tip = document.createElement("div");
  tip.id = "tip";
  tip.hidden = true;
  document.body.appendChild(tip);
  document.addEventListener("pointermove", function (event) {
    var mark = event.target.closest ? event.target.closest(".plot rect, .plot circle, .plot .event") : null;
    if (mark && !mark.tip) {
      var title = mark.querySelector("title");
      if (title) { mark.tip = title.textContent; title.remove(); mark.setAttribute("aria-label", mark.tip); }
    }
    tip.hidden = !(mark && mark.tip);
    if (tip.hidden) { return; }
    tip.textContent = mark.tip;
    var x = Math.min(event.clientX + 14, window.innerWidth - tip.offsetWidth - 8);
    var y = event.clientY + 18;
    if (y + tip.offsetHeight > window.innerHeight) { y = event.clientY - tip.offsetHeight - 12; }
    tip.style.left = x + "px";
    tip.style.top = y + "px";
  });

  // A drawing as a file, in the light colours and without any style sheet around it.
  document.addEventListener("click", function (event) {
    var save = event.target.closest ? event.target.closest(".save-svg") : null;
    if (!save) { return; }
    var drawing = save.closest("figure").querySelector("svg").cloneNode(true);
    var style = document.createElementNS("http://www.w3.org/2000/svg", "style");
    style.textContent = document.getElementById("style-light").textContent +
      document.getElementById("style-plot").textContent;
    drawing.insertBefore(style, drawing.firstChild);
    drawing.querySelectorAll(".probe").forEach(function (probe) { probe.remove(); });
    var text = new XMLSerializer().serializeToString(drawing);
    var link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type: "image/svg+xml" }));
    link.download = save.getAttribute("data-name");
    link.click();
    setTimeout(function () { URL.revokeObjectURL(link.href); }, 1000);
  });
})();
