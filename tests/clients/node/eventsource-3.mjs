// npm eventsource 3, which runs from Node 18 on: reconnects by itself.

import { EventSource } from 'eventsource-3';
import { received, url } from './received.mjs';

new EventSource(url).onmessage = ({ lastEventId, data }) => received(lastEventId, data);
