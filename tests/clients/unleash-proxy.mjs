import { InMemoryStorageProvider, UnleashClient } from 'unleash-proxy-client';
import { flag, key, url, user, watch } from './watch.mjs';

const unleash = new UnleashClient({
    url: `${url}/api/frontend`, clientKey: key, appName: 'unleash-proxy-client', refreshInterval: 1, metricsInterval: 1,
    metricsIntervalInitial: 1, storageProvider: new InMemoryStorageProvider(), context: { userId: user },
});
unleash.on('error', () => {}); // it goes on by itself
await unleash.start();
watch(async () => unleash.isEnabled(flag));
