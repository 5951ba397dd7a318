// npm eventsource, the newest: reconnects by itself.

import { EventSource } from 'eventsource';
import { received, url } from './received.mjs';

new EventSource(url).onmessage = ({ lastEventId, data }) => received(lastEventId, data);
