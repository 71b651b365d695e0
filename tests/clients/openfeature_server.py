from openfeature import api
from openfeature.contrib.provider.ofrep import OFREPProvider
from openfeature.evaluation_context import EvaluationContext
from watch import FLAG, KEY, URL, USER, watch

api.set_provider(OFREPProvider(URL, headers_factory=lambda: {"X-API-Key": KEY}))
client = api.get_client()


def read():
    details = client.get_boolean_details(FLAG, False, EvaluationContext(USER))
    return None if details.error_code else details.value


watch(read)
