// Dialogs and menus. Without the script the link of a dialog leads to a page with the same form.

document.addEventListener("click", (event) => {
  const opener = event.target.closest("[data-dialog]");
  if (opener) {
    event.preventDefault();
    document.getElementById(opener.dataset.dialog).showModal();
  }
  const dialog = event.target.closest("[data-dismiss]")?.closest("dialog");
  if (dialog) {
    event.preventDefault();
    dialog.close();
  }
  // A click on the ground behind a dialog has the dialog itself as its target.
  if (event.target.matches("dialog")) event.target.close();
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (!menu.contains(event.target) || event.target.closest(".menu-list :is(a, button)")) menu.open = false;
  }
});

// A form that opens in its place begins with its field.
document.addEventListener("toggle", (event) => {
  const field = event.target.matches("details.inline[open]") && event.target.querySelector("input:not([type=hidden])");
  if (!field) return;
  field.focus();
  field.select();
}, true);
