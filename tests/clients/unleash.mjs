import { initialize } from 'unleash-client';
import { flag, key, url, user, watch } from './watch.mjs';

const unleash = initialize({
    url: `${url}/api/`, appName: 'unleash-client', customHeaders: { Authorization: key },
    refreshInterval: 300, metricsInterval: 500, disableAutoStart: false,
});
unleash.on('error', () => {}); // it goes on by itself
unleash.on('warn', () => {});
await new Promise((resolve) => unleash.once('synchronized', resolve));
watch(async () => unleash.isEnabled(flag, { userId: user }));
