// npm undici, its EventSource: reconnects by itself.

import { EventSource } from 'undici';
import { received, url } from './received.mjs';

new EventSource(url).onmessage = ({ lastEventId, data }) => received(lastEventId, data);
