// As in a browser: no polling, only what the event stream tells.
import { OFREPWebProvider } from '@openfeature/ofrep-web-provider';
import { OpenFeature } from '@openfeature/web-sdk';
import { EventSource } from 'eventsource';
import { flag, key, url, user, watch } from './watch.mjs';

globalThis.EventSource = EventSource;
await OpenFeature.setContext({ targetingKey: user });
await OpenFeature.setProviderAndWait(new OFREPWebProvider({ baseUrl: url, headers: [['X-API-Key', key]], cacheMode: 'disabled' }));
const client = OpenFeature.getClient();
watch(async () => {
    const details = client.getBooleanDetails(flag, false);
    return details.errorCode ? undefined : details.value;
});
