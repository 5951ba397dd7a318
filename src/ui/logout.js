// Whether somebody has logged in here, as far as a page can know: the session's cookie is hidden from scripts, so the form
// of /login leaves a note.

const NOTE = 'shipslog-logged-in';

/** Shows the form that ends a session, if there is one. @param {HTMLFormElement} form */
export function offerLogout(form) {
  try {
    form.hidden = localStorage.getItem(NOTE) === null;
    form.addEventListener('submit', () => localStorage.removeItem(NOTE));
  } catch {
    // Without storage there are no cookies either, and thus no session.
  }
}
