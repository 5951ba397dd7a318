// npm eventsource-client: reconnects by itself; gives every event to one callback, whatever its name.

import { createEventSource } from 'eventsource-client';
import { received, url } from './received.mjs';

createEventSource({ url, onMessage: ({ id, event, data }) => { if (event === undefined) received(id ?? '', data); } });
