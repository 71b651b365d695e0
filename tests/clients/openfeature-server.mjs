import { OFREPProvider } from '@openfeature/ofrep-provider';
import { OpenFeature } from '@openfeature/server-sdk';
import { flag, key, url, user, watch } from './watch.mjs';

await OpenFeature.setProviderAndWait(new OFREPProvider({ baseUrl: url, headers: [['X-API-Key', key]] }));
const client = OpenFeature.getClient();
watch(async () => {
    const details = await client.getBooleanDetails(flag, false, { targetingKey: user });
    return details.errorCode ? undefined : details.value;
});
