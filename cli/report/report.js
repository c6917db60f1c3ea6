// Copying, sorting and searching. Without it the page says the same.
"use strict";
(function () {
  var status = document.querySelector(".status");
  function say(text) {
    status.textContent = text;
    setTimeout(function () { status.textContent = ""; }, 1500);
  }
  function byHand(text) {
    var area = document.createElement("textarea");
    area.value = text;
    document.body.appendChild(area);
    area.select();
    var done = document.execCommand("copy");
    area.remove();
    say(done ? "Copied" : "Press Ctrl+C to copy");
  }
  function copy(text) {
    if (navigator.clipboard && window.isSecureContext)
      navigator.clipboard.writeText(text).then(function () { say("Copied"); }, function () { byHand(text); });
    else
      byHand(text);
  }
  function button(text, label, act) {
    var made = document.createElement("button");
    made.type = "button";
    made.textContent = text;
    if (label) made.setAttribute("aria-label", label);
    made.addEventListener("click", act);
    return made;
  }
  document.querySelectorAll("code.copy").forEach(function (code) {
    code.after(button("Copy", "Copy the display filter", function () { copy(code.textContent); }));
  });

  function keyOf(row, column) {
    var cell = row.cells[column], value = cell.getAttribute("data-v");
    return column === 0 ? cell.textContent : value === null ? NaN : Number(value);
  }
  function sort(table, head, column) {
    var falling = head.getAttribute("aria-sort") !== "descending";
    if (column === 0) falling = head.getAttribute("aria-sort") === "ascending";
    table.querySelectorAll("thead th").forEach(function (other) { other.removeAttribute("aria-sort"); });
    head.setAttribute("aria-sort", falling ? "descending" : "ascending");
    var body = table.tBodies[0], names = new Intl.Collator("en", { numeric: true });
    Array.from(body.rows).sort(function (a, b) {
      var x = keyOf(a, column), y = keyOf(b, column);
      if (x !== x || y !== y) return (x !== x) - (y !== y); // without a number: last
      var order = column === 0 ? names.compare(x, y) : x - y;
      return falling ? -order : order;
    }).forEach(function (row) { body.appendChild(row); });
  }
  document.querySelectorAll("table.matrix").forEach(function (table) {
    if (table.tBodies[0].rows.length < 2) return;
    Array.from(table.tHead.rows[0].cells).forEach(function (head, column) {
      var made = button("", "", function () { sort(table, head, column); });
      while (head.firstChild) made.appendChild(head.firstChild);
      head.appendChild(made);
    });
    if (table.tBodies[0].rows.length < 12) return;
    var label = document.createElement("label"), input = document.createElement("input");
    label.className = "search";
    label.textContent = "Only instances with ";
    input.type = "search";
    label.appendChild(input);
    table.parentNode.before(label);
    input.addEventListener("input", function () {
      var wanted = input.value.toLowerCase();
      Array.from(table.tBodies[0].rows).forEach(function (row) {
        row.hidden = row.cells[0].textContent.toLowerCase().indexOf(wanted) < 0;
      });
    });
  });

  window.addEventListener("beforeprint", function () {
    document.querySelectorAll("details:not([open])").forEach(function (details) {
      details.open = true;
      details.setAttribute("data-printed", "");
    });
  });
  window.addEventListener("afterprint", function () {
    document.querySelectorAll("details[data-printed]").forEach(function (details) { details.open = false; });
  });
  function follow() {
    var target = location.hash && document.getElementById(location.hash.slice(1));
    var folded = target && target.closest("details");
    if (folded) { folded.open = true; target.scrollIntoView(); }
  }
  window.addEventListener("hashchange", follow);
  follow();
}());
