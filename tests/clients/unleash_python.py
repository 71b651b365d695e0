import tempfile

from UnleashClient import UnleashClient
from watch import FLAG, KEY, URL, USER, watch

unleash = UnleashClient(f"{URL}/api", "unleash-python", custom_headers={"Authorization": KEY}, refresh_interval=1,
                        metrics_interval=1, cache_directory=tempfile.mkdtemp())
unleash.initialize_client()
watch(lambda: unleash.is_enabled(FLAG, {"userId": USER}) if unleash.is_initialized else None)
