// npm event-source-polyfill: reconnects by itself, with ?lastEventId= where the others send a header.

import polyfill from 'event-source-polyfill';
import { received, url } from './received.mjs';

new polyfill.EventSourcePolyfill(url).onmessage = ({ lastEventId, data }) => received(lastEventId, data);
