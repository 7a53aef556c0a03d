// Better with a script, whole without one: every page works when none of this runs.
import {
  Button, Checkboxes, ErrorSummary, PasswordInput, Radios, ServiceNavigation, SkipLink, createAll,
} from "govuk-frontend";

for (const component of [
  Button, Checkboxes, ErrorSummary, PasswordInput, Radios, ServiceNavigation, SkipLink,
]) {
  createAll(component);
}

for (const button of document.querySelectorAll("[data-print]")) {
  button.hidden = false;
  button.addEventListener("click", () => window.print());
}

// A page kept by the browser for going back may be of a session that has ended: ask the server again.
window.addEventListener("pageshow", (event) => {
  if (event.persisted) {
    window.location.reload();
  }
});
