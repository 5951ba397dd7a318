// Cursors: the first 8 hex digits of a log's id, and a sequence. Pure, and alone, for the worker needs nothing more.

/** @param {string} id @returns {number} the sequence in a cursor */
export const sequenceOf = (id) => Number(id.slice(id.lastIndexOf('-') + 1));

/** @param {string} log a log's whole id @param {number} seq @returns {string} */
export const cursorOf = (log, seq) => `${log.slice(0, 8)}-${seq}`;
